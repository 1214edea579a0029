import { pino } from 'pino'
import { expect, it } from 'vitest'
import { createReservations } from '#server/placement/index.ts'
import type { Announcement, NodeId } from '#shared/model/index.ts'
import { AcceptPolicy } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createBidding } from './bidding.ts'
import { createPeerHandlers } from './peer-handlers.ts'

const BID_MS = 5_000
const [GREEDY, OTHER] = ['g'.repeat(26), 'o'.repeat(26)]
const PROCESS = { kind: 'process', isolation: 'process', available: true } as const

/** A worker that takes jobs of anybody, as far as it has places and space. */
function worker({ slots = 2, waitingPlaces = 2 } = {}) {
  const clock = virtualClock()
  const reservations = createReservations({ slots, waitingPlaces, clock })
  const disk = { missingBytes: 0 }
  const awarded: string[] = []
  let tokens = 0
  const executors = [{ kind: 'process', probe: async () => PROCESS }]
  const node = { power: async () => 'mains', loadPerCore: () => 0 }
  const deps = {
    clock,
    log: pino({ level: 'silent' }),
    executors,
    node,
    fleet: { who: (id: NodeId) => ({ id, name: id, user: null, tags: [] }), accepts: () => true },
    settings: { accept: AcceptPolicy.parse({}), bidMs: BID_MS, price: null, placement: { unknownRunMs: 60_000 } },
    workspace: { haves: async () => [] },
    newToken: () => `bid-${++tokens}`,
    random: () => 0.5,
  }
  const experience = { history: async () => ({ of: () => [] }) }
  const handlers = createPeerHandlers(deps as never, {
    ownCard: { get: async () => ({ ...makeCard('w'.repeat(26)), agents: ['command'], executors: [PROCESS] }) } as never,
    reservations,
    bidding: createBidding(deps as never, {
      reservations,
      experience: experience as never,
      executorRoom: { of: async () => null, lastHeard: () => [] },
    }),
    hosting: {
      running: () => 0,
      isAnothers: async () => false,
      awarded: async () => null,
      async award(_: NodeId, { bidId }: { bidId: string }) {
        reservations.take(bidId)
        awarded.push(bidId)
        return { needsSnapshot: false, mark: 0 }
      },
    } as never,
    permissions: {} as never,
    space: { missing: async () => disk.missingBytes },
    placesOf: async () => [],
    isReady: () => true,
    isDraining: () => false,
  })
  const announcement = (job: number) =>
    ({
      jobId: `job-${job}`,
      epoch: 1,
      agent: 'command',
      executor: 'process',
      model: null,
      models: { atHome: false },
      labels: {},
      gpu: false,
      repository: null,
      setup: null,
    }) as unknown as Announcement
  const announce = async (home: NodeId, job: number) => {
    const { body } = await handlers.announce({ body: announcement(job) } as never, { peer: home } as never)
    return body
  }
  const award = (home: NodeId, job: number, bidId: string) =>
    handlers.award(
      { body: { bidId, jobId: `job-${job}`, epoch: 1, spec: { executor: 'process', where: { labels: {} } } } } as never,
      { peer: home } as never,
    )
  const release = (home: NodeId, bidId: string) => handlers.releaseBid({ body: { bidId } } as never, { peer: home } as never)
  return { clock, reservations, disk, awarded, announce, award, release }
}

it('promises one home half of its places at most, whoever asks how often, so that there are some for others', async () => {
  const { announce, clock } = worker()
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(job => announce(GREEDY, job)))
  expect(answers.map(({ kind }) => kind)).toEqual(['bid', 'bid', 'no', 'no', 'no', 'no'])
  expect(answers.at(-1)).toMatchObject({ isTransient: true, againMs: BID_MS, reason: expect.stringContaining('2 places') })
  expect((await announce(OTHER, 7)).kind).toBe('bid')
  clock.advance(BID_MS)
  expect((await announce(GREEDY, 8)).kind).toBe('bid')
})

it('does not count what a home was awarded or let go of, nor a place that is the only one', async () => {
  const { announce, award, release } = worker()
  const [first, second] = [await announce(GREEDY, 1), await announce(GREEDY, 2)]
  if (first.kind !== 'bid' || second.kind !== 'bid') throw new Error('no bid')
  await award(GREEDY, 1, first.bidId)
  expect((await announce(GREEDY, 3)).kind).toBe('bid')
  expect((await announce(GREEDY, 4)).kind).toBe('no')
  await release(GREEDY, second.bidId)
  expect((await announce(GREEDY, 5)).kind).toBe('bid')
  expect((await worker({ slots: 1, waitingPlaces: 0 }).announce(GREEDY, 1)).kind).toBe('bid')
})

it('takes no job of others while its disk is full: says so when one is announced, and again when it is awarded', async () => {
  const { announce, award, disk, awarded, reservations } = worker()
  const bid = await announce(OTHER, 1)
  if (bid.kind !== 'bid') throw new Error('no bid')
  disk.missingBytes = 3 * 2 ** 20
  expect(await announce(OTHER, 2)).toMatchObject({ kind: 'no', isTransient: true, reason: expect.stringContaining('3 MiB') })
  await expect(award(OTHER, 1, bid.bidId)).rejects.toMatchObject({
    code: 'not_yours',
    message: expect.stringContaining('disk is full'),
  })
  expect([awarded, reservations.free()]).toEqual([[], 2])
  disk.missingBytes = 0
  expect((await announce(OTHER, 3)).kind).toBe('bid')
})
