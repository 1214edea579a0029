import { expect, it } from 'vitest'
import { createReservations } from '#server/placement/index.ts'
import type { Announcement, ExecutorCapacity } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createBidding } from './bidding.ts'

const CAPACITY: ExecutorCapacity = {
  cpuCores: 4,
  memoryBytes: 2 ** 33,
  gpuCount: 1,
  places: 2,
  images: ['docker.io/library/node:24'],
  full: null,
}

/** A node with many slots and a cluster that says what it can give. */
function worker(capacity: Partial<ExecutorCapacity> = {}) {
  const clock = virtualClock()
  const reservations = createReservations({ slots: 8, waitingPlaces: 0, clock })
  const heardAt = clock.monotonic()
  let tokens = 0
  const bidding = createBidding(
    {
      executors: [{ kind: 'kubernetes', probe: async () => ({ isolation: 'container' }) }],
      clock,
      node: { power: async () => 'mains', loadPerCore: () => 0 },
      settings: { bidMs: 3_000, price: null, placement: { unknownRunMs: 60_000 } },
      workspace: { haves: async () => [] },
      newToken: () => `bid-${++tokens}`,
      random: () => 0.5,
    } as never,
    {
      reservations,
      experience: { history: async () => ({ of: () => [20_000] }) } as never,
      executorRoom: {
        of: async () => ({ capacity: { ...CAPACITY, ...capacity }, ageMs: clock.monotonic() - heardAt }),
        lastHeard: () => [],
      },
    },
  )
  const bid = (change: Partial<Announcement> = {}) =>
    bidding.bid(
      {
        ...{ jobId: 'job', epoch: 1, agent: 'command', executor: 'kubernetes', model: null, labels: {}, gpu: false },
        ...{ repository: null, setup: false, models: { policy: 'worker-only', atHome: false } },
        ...change,
      } as unknown as Announcement,
      null,
    )
  return { bid, clock, reservations }
}

it('says no for now where its cluster is full, and when to ask again', async () => {
  const { bid, reservations } = worker({ places: 0, full: 'The quota "agents" is used up.' })
  expect(await bid()).toEqual({
    ...{ kind: 'no', isTransient: true, againMs: 30_000 },
    reason: 'Its executor "kubernetes" has no room now: The quota "agents" is used up.',
  })
  expect(reservations.free()).toBe(8)
})

it('counts what it promised since the cluster was asked, and says when one of those should end', async () => {
  const { bid, clock, reservations } = worker()
  clock.advance(1_000)
  for (const expected of ['bid', 'bid']) {
    const answer = await bid()
    expect(answer.kind).toBe(expected)
    if (answer.kind === 'bid') reservations.take(answer.bidId)
  }
  clock.advance(5_000)
  expect(await bid()).toMatchObject({ kind: 'no', isTransient: true, againMs: 15_000 })
})

it('bids with the image that is there, without the one that is not, and not for more GPUs than are free', async () => {
  const { bid } = worker({ places: 8 })
  expect(await bid({ image: 'node:24', gpus: 1 })).toMatchObject({ kind: 'bid', terms: { imageCached: true } })
  expect(await bid({ image: 'node:22' })).toMatchObject({ kind: 'bid', terms: { imageCached: false } })
  expect(await bid({ gpus: 2 })).toMatchObject({ kind: 'no', isTransient: true, reason: expect.stringContaining('2 GPUs') })
})
