import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Card } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import type { KnownPeer, PeerDirectory } from './directory.ts'
import { nodeIdOf } from './identity.ts'
import { createPresence, type PresenceBoard } from './presence.ts'

const publicKey = Buffer.alloc(32, 1).toString('base64url')
const peer: KnownPeer = {
  id: nodeIdOf(publicKey),
  name: 'worker',
  publicKey,
  address: 'http://127.0.0.1:1',
  source: 'paired',
  runsOurs: true,
  weRunTheirs: false,
  addedAt: '2026-01-01T00:00:00.000Z',
}
const card = { node: peer.id, name: 'worker', seq: 1 } as Card

/** Peers without a file. */
function directoryOf(...first: KnownPeer[]): PeerDirectory {
  const peers = new Map(first.map(one => [one.id, one]))
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of listeners) listener()
  }
  return {
    get: id => peers.get(id) ?? null,
    list: () => [...peers.values()],
    async put(one) {
      peers.set(one.id, one)
      tell()
    },
    async remove(id) {
      const found = peers.delete(id)
      tell()
      return found
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

let board: PresenceBoard | undefined
afterEach(() => board?.stop())

function world(directory: PeerDirectory, ask: (peer: KnownPeer) => Promise<Card> = async () => card) {
  const clock = virtualClock()
  const asked = vi.fn(ask)
  const made = createPresence({ directory, ask: asked, clock })
  board = made
  /** Lets time pass, and every answer of the time be taken. */
  const pass = async (ms: number) => {
    clock.advance(ms)
    await new Promise(setImmediate)
  }
  return { clock, asked, board: made, pass }
}

describe('presence', () => {
  test('does nothing at all without peers', () => {
    const { board, clock, asked } = world(directoryOf())
    board.start()
    expect(clock.waiting()).toBe(0)
    expect(asked).not.toHaveBeenCalled()
  })

  test('asks a node that answers every 10 s', async () => {
    const { board, asked, pass } = world(directoryOf(peer))
    board.start()
    await pass(0)
    expect(board.of(peer.id)).toMatchObject({ card, problem: null })
    for (let n = 2; n <= 6; n++) {
      await pass(9_999)
      expect(asked).toHaveBeenCalledTimes(n - 1)
      await pass(1)
      expect(asked).toHaveBeenCalledTimes(n)
    }
  })

  test('asks one that does not answer less and less, to once a minute, and at once as before when it is back', async () => {
    let isUp = false
    const { board, asked, pass } = world(directoryOf(peer), async () => {
      if (!isUp) throw new Error('down')
      return card
    })
    board.start()
    await pass(0)
    expect(board.of(peer.id)).toMatchObject({ card: null, problem: 'down' })
    for (const wait of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      const before = asked.mock.calls.length
      await pass(wait - 1)
      expect(asked).toHaveBeenCalledTimes(before)
      await pass(1)
      expect(asked).toHaveBeenCalledTimes(before + 1)
    }
    isUp = true
    await pass(60_000)
    expect(board.of(peer.id).problem).toBeNull()
    const before = asked.mock.calls.length
    await pass(10_000)
    expect(asked).toHaveBeenCalledTimes(before + 1)
  })

  test('does not take the card of another node', async () => {
    const { board, pass } = world(directoryOf(peer), async () => ({ ...card, node: 'b'.repeat(26) }))
    board.start()
    await pass(0)
    expect(board.of(peer.id)).toMatchObject({ card: null, problem: expect.stringContaining('Another node') })
  })

  test('asks a node once, however often the list changes before it answers', async () => {
    const directory = directoryOf(peer)
    const { board, asked } = world(directory)
    board.start()
    await Promise.all([directory.put(peer), directory.put(peer), directory.put(peer)])
    expect(asked).toHaveBeenCalledTimes(1)
  })

  test('forgets a node that is removed while it is asked, and says so', async () => {
    const directory = directoryOf(peer)
    const { promise, resolve } = Promise.withResolvers<Card>()
    const { board, clock, pass } = world(directory, () => promise)
    board.start()
    await directory.remove(peer.id)
    resolve(card)
    await pass(0)
    expect(board.of(peer.id).card).toBeNull()
    expect(clock.waiting()).toBe(0)
  })

  test('tells when trust in a node ends', async () => {
    const directory = directoryOf(peer)
    const { board, pass } = world(directory)
    board.start()
    await pass(0)
    const listener = vi.fn()
    board.onChange(listener)
    await directory.remove(peer.id)
    await pass(0)
    expect(listener).toHaveBeenCalled()
  })

  test('rests once stopped, even when an answer comes later', async () => {
    const { promise, resolve } = Promise.withResolvers<Card>()
    const { board, clock, pass } = world(directoryOf(peer), () => promise)
    board.start()
    board.stop()
    resolve(card)
    await pass(0)
    expect(clock.waiting()).toBe(0)
  })
})
