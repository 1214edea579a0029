import { pino } from 'pino'
import { expect, it } from 'vitest'
import { createReservations } from '#server/placement/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createScheduler } from './scheduler.ts'
import { stopKind } from './stop.ts'

interface Job {
  readonly id: string
  readonly cancelRequested: boolean
  readonly state: string
  readonly spec: object
}
const jobNamed = (id: string, more: Partial<Job> = {}): Job => ({
  id,
  cancelRequested: false,
  state: 'placing',
  spec: {},
  ...more,
})
const turn = () => new Promise(setImmediate)
const forever = new Promise<never>(() => {})
interface Watch {
  nobodyCan(): void
}

/** A scheduler of a node with one slot, over a queue in memory. What is claimed looks for a node as `place` does. */
function setUp(place: (job: Job, signal: AbortSignal, watch: Watch) => Promise<never>, more: object = {}) {
  const queue: Job[] = []
  const looked: string[] = []
  const ends: { id: string; end: unknown }[] = []
  const resumed: { id: string; stop: string | null }[] = []
  let wake = () => {}
  const clock = virtualClock()
  const store = {
    claim: async (limit: number) => queue.splice(0, limit),
    overdue: async () => ({ ids: [], next: null }),
    job: async () => null,
    onQueued(listener: () => void) {
      wake = listener
      return () => {}
    },
    ...more,
  }
  const parts = {
    ending: { settle: async ({ id }: Job, end: unknown) => void ends.push({ id, end }) },
    reservations: createReservations({ slots: 1, waitingPlaces: 0, clock }),
    placing: {
      place(job: Job, signal: AbortSignal, watch: Watch) {
        looked.push(job.id)
        return place(job, signal, watch)
      },
      learn() {},
    },
    away: {
      async resume(job: Job, _: unknown, signal: AbortSignal) {
        resumed.push({ id: job.id, stop: stopKind(signal) })
        return { job, end: 'detached' }
      },
    },
    dismissals: { wake() {} },
    drain: { isDraining: () => false, onEnd: () => () => {} },
    ended() {},
  }
  const scheduler = createScheduler({ store, clock, fleet: alone, log: pino({ level: 'silent' }) } as never, parts as never)
  const submit = (job: Job) => {
    queue.push(job)
    wake()
  }
  return { scheduler, submit, looked, ends, resumed, clock }
}

it('claims a job that comes while those that waited too long are looked for', async () => {
  let isFirst = true
  const parts = setUp(() => forever, {
    async overdue() {
      if (isFirst) parts.submit(jobNamed('late'))
      isFirst = false
      return { ids: [], next: null }
    },
  })
  await parts.scheduler.start([])
  await turn()
  expect(parts.looked).toEqual(['late'])
})

it('does not begin what a person asked to cancel while it was between two attempts', async () => {
  const { scheduler, submit, ends } = setUp(async (_, signal) => {
    signal.throwIfAborted()
    return forever
  })
  await scheduler.start([])
  submit(jobNamed('unwanted', { cancelRequested: true }))
  await turn()
  expect(ends).toEqual([{ id: 'unwanted', end: { kind: 'stopped', stop: 'cancel' } }])
})

it('tells an attempt elsewhere of a cancel from before a restart, or during it', async () => {
  const { scheduler, resumed } = setUp(() => forever, { job: async (id: string) => jobNamed(id, { cancelRequested: true }) })
  await scheduler.start([{ job: jobNamed('there'), row: {} }] as never)
  expect(resumed).toEqual([{ id: 'there', stop: 'cancel' }])
})

it('a job that no node can do holds up none of those behind it', async () => {
  const { scheduler, submit, looked } = setUp((job, _, { nobodyCan }) => {
    if (job.id === 'picky') nobodyCan()
    return forever
  })
  await scheduler.start([])
  submit(jobNamed('picky'))
  submit(jobNamed('plain'))
  submit(jobNamed('later'))
  await turn()
  expect(looked).toEqual(['picky', 'plain'])
})

it('claims the next when one that looked for a node has ended', async () => {
  const nobody = Promise.withResolvers<never>()
  const { scheduler, submit, looked } = setUp(() => nobody.promise)
  await scheduler.start([])
  submit(jobNamed('first'))
  submit(jobNamed('second'))
  await turn()
  expect(looked).toEqual(['first'])
  nobody.reject(new Error('Nobody takes it'))
  await turn()
  expect(looked).toEqual(['first', 'second'])
})

it('stops only once what was being claimed is back in the queue', async () => {
  const claimed = Promise.withResolvers<Job[]>()
  const { scheduler, ends } = setUp(
    async (_, signal) => {
      signal.throwIfAborted()
      return forever
    },
    { claim: () => claimed.promise },
  )
  const started = scheduler.start([])
  let isStopped = false
  const stopped = scheduler.stop().then(() => {
    isStopped = true
  })
  await turn()
  expect(isStopped).toBe(false)
  claimed.resolve([jobNamed('claimed')])
  await Promise.all([started, stopped])
  expect(ends).toEqual([{ id: 'claimed', end: { kind: 'stopped', stop: 'shutdown' } }])
})
