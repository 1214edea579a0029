import { expect, test } from 'vitest'
import type { Peer } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createPeersFeed } from './feed.ts'

const idOf = (n: number) =>
  String.fromCharCode(97 + (n % 26)).repeat(13) + String.fromCharCode(97 + Math.floor(n / 26)).repeat(13)
const peer = (n: number, more: Partial<Peer> = {}): Peer => ({
  ...{ id: idOf(n), name: `node-${n}`, address: 'http://127.0.0.1:1', source: 'paired', state: 'online' },
  ...{ runsOurs: true, weRunTheirs: false, card: makeCard(idOf(n)), lastSeenAt: '2026-01-01T00:00:00.000Z', problem: null },
  ...more,
})

function world(first: readonly Peer[], clock = virtualClock()) {
  let peers = [...first]
  const listeners = new Set<() => void>()
  const feed = createPeersFeed({
    list: () => peers,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    clock,
  })
  const settle = () => new Promise(setImmediate)
  return {
    feed,
    clock,
    listeners,
    settle,
    async become(...now: Peer[]) {
      peers = now
      for (const listener of [...listeners]) listener()
      await settle()
      clock.advance(1_000)
      await settle()
    },
  }
}
const never = new AbortController().signal
const said = <T>(next: IteratorResult<T, void>): T => next.value ?? expect.fail('it ended')

test('the whole list comes first, also when it is empty; then what changed, and what is gone', async () => {
  const { feed, become } = world([peer(1), peer(2)])
  const changes = feed.follow(null, never)
  const first = said(await changes.next())
  expect(first).toMatchObject({ whole: true, removed: [], items: [{ name: 'node-1' }, { name: 'node-2' }] })
  const next = changes.next()
  await become(peer(1), peer(2, { state: 'offline', problem: 'gone' }))
  expect(said(await next)).toMatchObject({ whole: false, items: [{ name: 'node-2', state: 'offline' }], removed: [] })
  const last = changes.next()
  await become(peer(2, { state: 'offline', problem: 'gone' }))
  expect(said(await last)).toMatchObject({ items: [], removed: [idOf(1)] })
  expect(said(await world([]).feed.follow(null, never).next())).toMatchObject({ whole: true, items: [] })
})

test('who comes back with a cursor gets what it missed and nothing twice', async () => {
  const { feed, become } = world([peer(1), peer(2), peer(3)])
  const { cursor } = said(await feed.follow(null, never).next())
  await become(peer(1), peer(2, { runsOurs: false }))
  const change = said(await feed.follow(cursor, never).next())
  expect(change).toMatchObject({ whole: false, items: [{ name: 'node-2' }], removed: [idOf(3)] })
  const nothing = feed.follow(change.cursor, never).next()
  await become(peer(1, { state: 'offline' }), peer(2, { runsOurs: false }))
  expect(said(await nothing)).toMatchObject({ items: [{ name: 'node-1' }] })
})

test.each([
  ['of before a restart', -1],
  ['from nowhere', 1],
])('a cursor %s starts with the whole list', async (_, offset) => {
  const { feed, clock } = world([peer(1)])
  const cursor = clock.now() * 1000 + offset * 1e9
  expect(said(await feed.follow(cursor, never).next())).toMatchObject({ whole: true, items: [{ name: 'node-1' }] })
})

test('that a node was heard of again is no change', async () => {
  const { feed, become, clock } = world([peer(1)])
  const changes = feed.follow(null, never)
  await changes.next()
  let came = false
  const next = changes.next().then(change => {
    came = true
    return change
  })
  await become(peer(1, { lastSeenAt: '2026-01-01T00:01:00.000Z', card: makeCard(idOf(1), { seq: 9 }) }))
  expect(came).toBe(false)
  expect(clock.waiting()).toBe(0)
  await become(peer(1, { card: makeCard(idOf(1), { busy: 1 }) }))
  expect(said(await next)).toMatchObject({ items: [{ card: { busy: 1 } }] })
})

test('a long list comes in pieces, each of which can be gone on from', async () => {
  const { feed } = world(Array.from({ length: 250 }, (_, n) => peer(n)))
  const changes = feed.follow(null, never)
  const pieces = [said(await changes.next()), said(await changes.next()), said(await changes.next())]
  expect(pieces.map(({ items, whole }) => [items.length, whole])).toEqual([
    [100, true],
    [100, false],
    [50, false],
  ])
  const rest = said(await feed.follow(pieces[1]?.cursor ?? 0, never).next())
  expect(rest.items.map(({ id }) => id)).toEqual(pieces[2]?.items.map(({ id }) => id))
})

test('it ends when it is told to, and leaves nothing behind', async () => {
  const { feed, listeners, settle } = world([peer(1)])
  const over = new AbortController()
  const changes = feed.follow(null, over.signal)
  await changes.next()
  const next = changes.next()
  await settle()
  expect(listeners.size).toBe(1)
  over.abort()
  expect(await next).toEqual({ done: true, value: undefined })
  expect(listeners.size).toBe(0)
})
