import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCardSeal } from '#server/peers/card-seal.ts'
import type { Card, NodeId, SignedCard } from '#shared/model/index.ts'
import { makeCard } from '../fakes/card.ts'
import { makeIdentity } from '../fakes/identity.ts'

/** When the virtual clocks begin, and for how long there are cards, ms. */
export const BEGIN = Date.UTC(2026, 0, 1)
export const LASTING_MS = 360_000
/** What a node signs anew after, as gossip-state.ts has it, ms. */
const freshMs = (nodes: number) => Math.max(10_000, 60 * nodes)

/** A card and when its node signs it, ms since 1970. */
export interface CardInTime {
  readonly at: number
  readonly node: NodeId
  readonly jws: SignedCard
}

/** The list of peers of a node that knows so many, as `openKnownPeers` takes it. */
export const peersFile = (fixture: string, count: number): string => join(fixture, `peers-${count}.json`)
const cardsFile = (fixture: string, count: number): string => join(fixture, `cards-${count}.json`)

/** Signs what so many nodes tell of themselves, each with a key of its own, and keeps it. */
export async function writeFleet(fixture: string, count: number): Promise<void> {
  const peers: object[] = []
  const cards: CardInTime[] = []
  for (let number = 0; number < count; number++) {
    const identity = makeIdentity()
    const { nodeId: node, publicKey } = identity
    const trust = { source: 'paired', runsOurs: true, weRunTheirs: true, members: [], addedAt: new Date(BEGIN).toISOString() }
    peers.push({ id: node, name: nameOf(number), publicKey, address: `http://node-${number}.example:7420`, ...trust })
    const first = BEGIN - Math.floor((number / count) * freshMs(count))
    for (let at = first; at < BEGIN + LASTING_MS; at += freshMs(count)) {
      const jws = await createCardSeal({ identity, clock: { now: () => at } }).sign(cardOf(node, number, at))
      cards.push({ at, node, jws })
    }
  }
  cards.sort((a, b) => a.at - b.at)
  await writeFile(peersFile(fixture, count), JSON.stringify(peers))
  await writeFile(cardsFile(fixture, count), JSON.stringify(cards))
}

/** In the order they are signed. */
export async function readCards(fixture: string, count: number): Promise<CardInTime[]> {
  return JSON.parse(await readFile(cardsFile(fixture, count), 'utf8')) as CardInTime[]
}

const nameOf = (number: number): string => `workstation-${number}`

/** What a workstation in use tells; signed it has about 3,000 characters. */
export const cardOf = (node: NodeId, number: number, seq: number): Card =>
  makeCard(node, {
    name: nameOf(number),
    seq,
    version: '0.4.0',
    capacity: {
      cpuCores: 16,
      memoryBytes: 2 ** 36,
      storageBytes: 2 ** 40,
      gpuCount: 1,
      labels: { os: 'linux', arch: 'x64', site: 'north', team: `team-${number % 12}` },
    },
    slots: 8,
    busy: number % 8,
    executors: [{ kind: 'bubblewrap', isolation: 'process' }],
    agents: ['claude', 'codex', 'gemini', 'opencode', 'command'],
    models: ['qwen3-coder:30b', 'gpt-oss:20b', 'gemma3:12b', 'llama3.3:70b'],
    repositories: Array.from({ length: 20 }, (_, index) => `${number + index}`.padStart(64, 'a')),
  })
