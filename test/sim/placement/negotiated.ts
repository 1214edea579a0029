import { createBidding } from '#server/jobs/bidding.ts'
import { createExperience, keptBy } from '#server/jobs/experience.ts'
import { createNegotiation, type Negotiation } from '#server/jobs/negotiation.ts'
import { createPlacing, type Placed } from '#server/jobs/placing.ts'
import type { Fleet, PeerLink } from '#server/peers/index.ts'
import { createReservations, type JobClass } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import { type Announcement, type Bid, type Card, JobSpec, PlacementWeights } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { createMachineClock } from '../clock.ts'
import { type AgedCards, agedCards } from './cards.ts'
import { pastRuns, type SimJob, type SimNode } from './fleet.ts'
import { type Cost, delay, type MakeRule, type World } from './rule.ts'

const CLASS: JobClass = { agent: 'command', executor: 'process', model: null, repository: null }
const settings = { bidMs: 3_000, price: null, placement: PlacementWeights.parse({}), models: 'worker-only' as const }
const noModels = { list: async () => ({ models: [], unreachable: [] }), has: async () => false }
const found = { available: true, isolation: 'process' as const, version: null, detail: '', remedy: null }
const sandbox = { kind: 'process' as const, probe: async () => found }
/** Runs of earlier days that a node remembers. */
const PAST = 24
const never = new AbortController().signal

type Spent = { -readonly [K in keyof Cost]: Cost[K] }

/** A node with the product's own placement: bids, reservations, waiting places, sample, score, promises, pauses. */
interface Node {
  readonly card: () => Card
  /** Takes a slot. @returns gives it back */
  occupy(): () => void
  bid(announcement: Announcement, home: string): Promise<Bid>
  release(id: string): void
  /** Finds a node for a job of this home. */
  place(job: SimJob, spent: Spent): Promise<Placed>
  /** Takes work up that was awarded. @returns false when the bid has expired */
  take(id: string): boolean
  /** Fulfils when what was taken has its slot. */
  slot(id: string): Promise<boolean>
  /** What an attempt has taught its worker. */
  ran(ms: number): void
  /** What it has taught its home. */
  kept(worker: SimNode, placed: Placed, actual: { startMs: number; runMs: number }): void
}

/** The product's own placement on every node of the fleet. */
export const negotiated: MakeRule = world => {
  const { timeline, fleet, random } = world
  const cards = agedCards(world)
  const nodes = new Map<string, Node>()
  const find = (id: string): Node => {
    const node = nodes.get(id)
    if (!node) throw new Error(`There is no node ${id}`)
    return node
  }
  for (const node of fleet.nodes) nodes.set(node.id, createNode(world, node, cards, find))
  cards.begin([...nodes.values()].map(({ card }) => card))
  const byId = new Map(fleet.nodes.map(node => [node.id, node]))
  const pass = (ms: number) => new Promise<void>(resolve => void timeline.after(ms, resolve))

  async function run(job: SimJob, started: (cost: Cost, where: SimNode) => void): Promise<void> {
    const home = find(job.home.id)
    const spent: Spent = { messages: 0, mostMessages: 0, rounds: 0 }
    for (;;) {
      const placed = await home.place(job, spent)
      const where = placed.kind === 'here' ? job.home : byId.get(placed.node)
      if (!where) throw new Error('It went nowhere')
      const worker = find(where.id)
      const id = placed.kind === 'here' ? placed.placeId : placed.bidId
      if (placed.kind === 'there') await pass(delay(random))
      // A place at home is taken by the placing itself.
      if (placed.kind === 'there' && !worker.take(id)) continue
      const awardedAt = timeline.now()
      await worker.slot(id)
      started(spent, where)
      const times = { startMs: timeline.now() - awardedAt, runMs: job.work / where.speed }
      await pass(times.runMs)
      worker.release(id)
      worker.ran(times.runMs)
      home.kept(where, placed, times)
      return
    }
  }

  return {
    occupy({ id, speed }, work) {
      const end = find(id).occupy()
      timeline.after(work / speed, end)
    },
    place(job, started) {
      void run(job, started)
    },
  }
}

function createNode(world: World, node: SimNode, cards: AgedCards, find: (id: string) => Node): Node {
  const { timeline, seed } = world
  const random = world.random.fork(node.id)
  const clock = createMachineClock(timeline)
  let tokens = 0
  const newToken = () => `${node.id}.${++tokens}`
  const reservations = createReservations({ slots: node.slots, waitingPlaces: node.slots, clock })
  const past = pastRuns(node, PAST, seed).map(ms => ({ ...CLASS, ms }))
  const experience = createExperience({ store: { learned: { ran: async () => past, kept: async () => [] } } })
  const bidding = createBidding(
    {
      executors: [sandbox],
      workspace: { haves: async () => [] },
      models: noModels,
      sharedModels: noModels,
      node: { power: async () => 'mains', loadPerCore: () => reservations.busy() / node.slots },
      settings,
      clock,
      newToken,
      random: random.next,
    },
    { reservations, experience, executorRoom: { of: async () => null, lastHeard: () => [] } },
  )
  const card = (): Card =>
    makeCard(node.id, {
      name: node.id,
      capacity: { cpuCores: node.slots, memoryBytes: 0, storageBytes: 0, gpuCount: 0, labels: { ...node.labels } },
      slots: node.slots,
      busy: reservations.busy(),
      waitingPlaces: reservations.waitingPlaces,
      waiting: reservations.waiting(),
      executors: [{ kind: 'process', isolation: 'process' }],
      agents: [CLASS.agent],
    })
  const way = () => new Promise<void>(resolve => void timeline.after(delay(random), resolve))
  const linkTo = (other: Node): Pick<PeerLink, 'announce' | 'releaseBid'> => ({
    async announce(announcement) {
      await way()
      const bid = await other.bid(announcement, node.id)
      await way()
      return bid
    },
    async releaseBid(id) {
      await way()
      other.release(id)
    },
  })
  const fleet: Fleet = {
    self: { id: node.id, name: node.id },
    cards: () => cards.seenBy(node),
    unheard: () => [],
    accepts: () => true,
    who: id => ({ id, name: id, user: null, tags: [] }),
    trust: () => 'paired',
    link: id => linkTo(find(id)) as PeerLink,
    onChange: cards.onChange,
  }
  const negotiation = createNegotiation(
    { clock, settings, random: random.next, models: noModels },
    { fleet, ownCard: { get: async () => card() }, reservations, bidding, experience },
  )
  const store = { change: async () => true }
  const placing = (spent: Spent) =>
    createPlacing(
      { clock, settings, newToken, random: random.next, store },
      { fleet, reservations, negotiation: counted(negotiation, spent), isDraining: () => false },
    )

  return {
    card,
    occupy() {
      const id = newToken()
      reservations.reserve(id, settings.bidMs, CLASS)
      reservations.take(id)
      return () => reservations.release(id)
    },
    bid: (announcement, home) => bidding.bid(announcement, home),
    release: id => reservations.release(id),
    place: (job, spent) => placing(spent).place(rowOf(job), never),
    take: id => reservations.take(id),
    slot: id => reservations.slot(id, never),
    ran: ms => void experience.learn({ ran: { ...CLASS, ms } }),
    kept(worker, { bargain }, actual) {
      if (bargain) experience.learn({ kept: keptBy(worker.id, CLASS, { promised: bargain.promised, actual }) })
    },
  }
}

function counted(negotiation: Negotiation, spent: Spent): Negotiation {
  return {
    async negotiate(...how) {
      const negotiated = await negotiation.negotiate(...how)
      const { messages } = negotiated.record
      spent.messages += messages
      spent.mostMessages = Math.max(spent.mostMessages, messages)
      spent.rounds += 1
      return negotiated
    },
  }
}

const specs = new Map<string, JobSpec>()

function rowOf({ number, labels }: SimJob): JobRow {
  const key = JSON.stringify(labels)
  const spec = specs.get(key) ?? JobSpec.parse({ agent: 'command', argv: ['true'], where: { labels } })
  specs.set(key, spec)
  return {
    id: number.toString(36).padStart(14, '0'),
    state: 'placing',
    epoch: 1,
    title: '',
    priority: 0,
    spec,
    snapshot: null,
    createdAt: 0,
    updatedAt: 0,
    startedAt: 0,
    endedAt: null,
    queueDeadline: Number.MAX_SAFE_INTEGER,
    cancelRequested: false,
    retryOf: null,
    failure: null,
    result: null,
    undelivered: false,
    losses: 0,
  }
}
