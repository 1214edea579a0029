import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type CardSeal, createCardSeal } from '#server/peers/card-seal.ts'
import { createGossip, type Gossip } from '#server/peers/gossip.ts'
import { FANOUT, ROUND_MS } from '#server/peers/gossip-state.ts'
import { type KnownPeer, openKnownPeers } from '#server/peers/known-peers.ts'
import { GossipAnswer, GossipMessage, type NodeId } from '#shared/model/index.ts'
import { virtualClock } from '../fakes/clock.ts'
import { seeded } from '../fakes/gossip.ts'
import { makeIdentity } from '../fakes/identity.ts'
import type { SideContext } from './bench.ts'
import { BEGIN, cardOf, LASTING_MS, peersFile } from './cards-fleet.ts'
import type { FromOthers, ToOthers } from './cards-others.ts'

const othersProgram = fileURLToPath(new URL('cards-others.ts', import.meta.url))
const STEP_MS = 500
/** Until all cards are known and all code was used. */
const WARM_UP_MS = 120_000
/** When in a round others ask, ms: as many as are asked, as it is on average where all do the same. */
const ASKED_AT = [2_000, 5_000, 8_000]

/** What a node at rest costs. */
export interface Cost {
  /** Of all threads, in ms each second of its clock. */
  readonly cpuMs: number
  /** Sent by it each second of its clock, answers apart. */
  readonly messages: number
  /** What its process holds in the end when all that can be collected is. */
  readonly heldMiB: number
}

/** The heap and what hangs on it, after a full collection. */
function heldMiB(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What only finalizers let go of goes the second time.
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1024 ** 2
}

/** Counts what is under way, and says when nothing is: the clock stands still until then. */
function createIdle() {
  let running = 0
  let wake = () => {}
  return {
    async track<T>(work: Promise<T>): Promise<T> {
      running += 1
      try {
        return await work
      } finally {
        running -= 1
        if (running === 0) wake()
      }
    },
    async reached(): Promise<void> {
      do {
        if (running > 0)
          await new Promise<void>(resolve => {
            wake = resolve
          })
        await new Promise(setImmediate)
      } while (running > 0)
    },
  }
}

/** The other nodes, in a process of their own: their work does not count. */
async function startOthers(args: readonly string[], defer: SideContext['defer']) {
  const child: ChildProcess = fork(othersProgram, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill()
    await gone
  })
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('The other nodes ended before they were ready'))),
  ])
  const waiting = new Map<number, (reply: FromOthers) => void>()
  child.on('message', (reply: FromOthers) => {
    waiting.get(reply.id)?.(reply)
    waiting.delete(reply.id)
  })
  let last = 0
  return (now: number, message: GossipMessage | null): Promise<FromOthers> => {
    const id = ++last
    const replied = new Promise<FromOthers>(resolve => waiting.set(id, resolve))
    child.send({ id, now, message } satisfies ToOthers)
    return replied
  }
}

/** Runs a node that knows so many others for some minutes of a virtual clock, with real keys and signatures. */
export async function runNode(
  { fixture, defer }: SideContext,
  count: number,
  wrap: (seal: CardSeal) => CardSeal = seal => seal,
): Promise<Cost> {
  const clock = virtualClock(BEGIN)
  const identity = makeIdentity()
  const { nodeId, publicKey } = identity
  const idle = createIdle()
  const directory = await openKnownPeers(peersFile(fixture, count))
  const send = count === 0 ? null : await startOthers([fixture, String(count), nodeId], defer)
  const seal = wrap(createCardSeal({ identity, clock }))
  let sent = 0

  const others = async (message: GossipMessage | null): Promise<FromOthers> => {
    if (!send) throw new Error('There are no other nodes')
    return send(clock.now(), message)
  }
  async function exchange(_: NodeId, message: GossipMessage) {
    sent += 1
    const reply = await others(message)
    return { kind: 'gossip' as const, answer: GossipAnswer.parse('answer' in reply ? reply.answer : null) }
  }
  const gossip: Gossip = createGossip({
    self: { id: nodeId, publicKey: () => publicKey },
    known: {
      get: id => acquaintance(directory.get(id)),
      list: () => directory.list().map(peer => acquaintance(peer)),
      onChange: directory.onChange,
    },
    ownCard: async () => cardOf(nodeId, count, clock.now()),
    seal: {
      sign: card => idle.track(seal.sign(card)),
      peek: jws => idle.track(seal.peek(jws)),
      open: (jws, key) => idle.track(seal.open(jws, key)),
    },
    exchange: (to, message) => idle.track(exchange(to, message)),
    clock,
    random: seeded(1),
  })

  /** One of the others asks, and sends the cards that are wanted. */
  async function beAsked(): Promise<void> {
    const asked = await others(null)
    if (!('from' in asked)) throw new Error('An answer, and no question')
    const { wants } = await gossip.answer(asked.from, GossipMessage.parse(asked.message))
    if (wants.length === 0) return
    const brought = await others({ digest: wants.map(node => ({ node, seq: 0 })), cards: [] })
    const cards = 'answer' in brought ? brought.answer.cards : []
    await gossip.answer(asked.from, GossipMessage.parse({ digest: [], cards }))
  }

  async function live(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      clock.advance(STEP_MS)
      if (send && ASKED_AT.includes(clock.monotonic() % ROUND_MS)) void idle.track(beAsked())
      await idle.reached()
    }
  }

  gossip.start()
  await idle.reached()
  await live(WARM_UP_MS)
  const before = { sent, cpu: process.cpuUsage() }
  const measuredMs = LASTING_MS - WARM_UP_MS
  await live(measuredMs)
  const { user, system } = process.cpuUsage(before.cpu)
  const cost: Cost = {
    cpuMs: (user + system) / measuredMs,
    messages: ((sent - before.sent) / measuredMs) * 1000,
    heldMiB: heldMiB(),
  }
  gossip.stop()
  const away = directory.list().filter(({ id }) => gossip.of(id).card === null || gossip.of(id).problem !== null)
  if (away.length > 0) throw new Error(`${away.length} of ${count} nodes are not known to be there`)
  if (cost.messages > (2 * FANOUT * 1000) / ROUND_MS) throw new Error(`${cost.messages} messages a second`)
  return cost
}

const acquaintance = <P extends KnownPeer | null>(peer: P) => peer && { id: peer.id, publicKey: peer.publicKey, isTrusted: true }
