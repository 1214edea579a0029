import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { callerOf, isChange, memberOf, membersOf, Notify, Status, WhoIs } from './answers.ts'

/** Answers of tailscaled 1.102.5, recorded in the lab (test/lab/tailnet), with keys and machine names struck out. */
const recorded = (name: string) => readFileSync(new URL(`../../../test/fixtures/tailscale/${name}`, import.meta.url), 'utf8')
const json = (name: string): unknown => JSON.parse(recorded(name))

describe('status', () => {
  test('lists machines with their owners and tags', () => {
    const status = Status.parse(json('status.json'))
    expect(status).toMatchObject({ BackendState: 'Running', TUN: true })
    expect(status.Self && memberOf(status.Self, status)).toMatchObject({ name: 'node-a', user: null, tags: ['tag:skein'] })
    const byName = Object.fromEntries(membersOf(status).map(member => [member.name, member]))
    expect(byName).toEqual({
      'node-b': {
        id: 'TESTCTRL00000002',
        name: 'node-b',
        addresses: ['100.64.0.2', 'fd7a:115c:a1e0:ab12:4843:cd96:6240:2'],
        user: null,
        tags: ['tag:skein'],
        isOnline: true,
      },
      'laptop-alice': {
        id: 'TESTCTRL00000001',
        name: 'laptop-alice',
        addresses: ['100.64.0.1', 'fd7a:115c:a1e0:ab12:4843:cd96:6240:1'],
        user: 'alice@example.com',
        tags: [],
        isOnline: true,
      },
    })
  })

  test.each([
    ['status-needs-login.json', 'NeedsLogin'],
    ['status-stopped.json', 'Stopped'],
  ])('%s is read', (name, state) => {
    expect(Status.parse(json(name)).BackendState).toBe(state)
  })

  test('a daemon without an interface says so', () => {
    expect(Status.parse(json('status-userspace.json')).TUN).toBe(false)
  })

  test('exit nodes for hire, machines of others that only see us, and expired ones are no members', () => {
    const status = z.looseObject({ Peer: z.record(z.string(), z.looseObject({})) }).parse(json('status.json'))
    for (const more of [{ Tags: ['tag:mullvad-exit-node'] }, { ShareeNode: true }, { Expired: true }, { TailscaleIPs: null }]) {
      for (const peer of Object.values(status.Peer)) Object.assign(peer, { Tags: [], ShareeNode: false, Expired: false }, more)
      expect(membersOf(Status.parse(status))).toEqual([])
    }
  })
})

describe('whois', () => {
  test('names the machine, its tags, and what the policy grants it here', () => {
    expect(callerOf(WhoIs.parse(json('whois-b.json')))).toEqual({
      id: 'TESTCTRL00000002',
      name: 'node-b',
      addresses: ['100.64.0.2', 'fd7a:115c:a1e0:ab12:4843:cd96:6240:2'],
      user: null,
      tags: ['tag:skein'],
      grants: { 'skein.dev/cap/peer': [{ runsOurs: true, weRunTheirs: true }] },
    })
  })

  test('names the person of a machine without tags; no grants are null in Go', () => {
    expect(callerOf(WhoIs.parse(json('whois-c.json')))).toMatchObject({
      name: 'laptop-alice',
      user: 'alice@example.com',
      grants: {},
    })
  })
})

test('of the lines of the watch bus, those count that change who is there or what is granted', () => {
  const lines = recorded('watch.jsonl').trim().split('\n')
  expect(lines.map(line => isChange(Notify.parse(JSON.parse(line))))).toEqual(
    [true, false, true, true, false, true, false, true, false, true], // state, then maps, each with a line that has nothing
  )
})

test('whatever else is answered is refused as what it is, or read; never anything in between', () => {
  const paths = ['Self', 'Peer', 'User', 'TUN', 'BackendState', 'Version']
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
      const given = { ...(json('status.json') as object), [path]: value }
      const parsed = Status.safeParse(given)
      if (parsed.success) expect(Array.isArray(membersOf(parsed.data))).toBe(true)
    }),
  )
  fc.assert(fc.property(fc.jsonValue(), value => void WhoIs.safeParse(value)))
})
