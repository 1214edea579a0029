import { expect, test } from 'vitest'
import type { Card } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { createFleet } from './fleet.ts'
import type { KnownPeer } from './known-peers.ts'

const peer = (id: string, name: string): KnownPeer => ({
  ...{
    id,
    name,
    publicKey: '',
    address: 'http://10.0.0.1:1',
    source: 'paired',
    runsOurs: true,
    weRunTheirs: false,
    members: [],
    addedAt: '',
  },
})

test('a node is called as it says, but not by the name of another: jobs go by names', () => {
  const known = [peer('a', 'desk'), peer('b', 'rack'), peer('c', 'attic')]
  const says: Record<string, string> = { a: 'desk', b: 'desk', c: 'cellar' }
  const card = (id: string): Card => makeCard(id, { name: says[id] ?? '' })
  const fleet = createFleet({
    self: { id: 's', name: 'home' },
    directory: { get: id => known.find(one => one.id === id) ?? null, list: () => known },
    gossip: { of: id => ({ card: card(id), lastSeenAt: 0, problem: null }), onChange: () => () => {} },
    may: () => ({ runsOurs: true, weRunTheirs: false }),
    user: () => null,
    linkTo: () => expect.unreachable(),
  })
  const names = () => fleet.cards().map(({ name }) => name)
  expect(names()).toEqual(['desk', 'rack', 'cellar'])
  says.c = 'home'
  expect(names()).toEqual(['desk', 'rack', 'attic'])
})

test('a node that was just paired is not heard of until its first card, or until it is known to be away', () => {
  const known = [peer('a', 'desk'), { ...peer('b', 'rack'), runsOurs: false }]
  let presence: { card: Card | null; lastSeenAt: number | null; problem: string | null } = {
    ...{ card: null, lastSeenAt: null, problem: null },
  }
  const fleet = createFleet({
    self: { id: 's', name: 'home' },
    directory: { get: id => known.find(one => one.id === id) ?? null, list: () => known },
    gossip: { of: () => presence, onChange: () => () => {} },
    may: ({ runsOurs, weRunTheirs }) => ({ runsOurs, weRunTheirs }),
    user: () => null,
    linkTo: () => expect.unreachable(),
  })
  expect(fleet.unheard()).toEqual(['desk'])
  presence = { ...presence, problem: 'It does not answer.' }
  expect(fleet.unheard()).toEqual([])
  presence = { card: makeCard('a'), lastSeenAt: 0, problem: null }
  expect(fleet.unheard()).toEqual([])
})
