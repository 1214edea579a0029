import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Store } from '#server/store/index.ts'
import { ARROWS, isEnd, JOB_STATES, type JobEvent, type JobState } from '#shared/model/index.ts'
import { AT, moves, newJob } from '#test/contract/job.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { sqliteStore } from './index.ts'

/** What the store is compared with: the same promises, as plain as they can be said. */
class Model {
  readonly jobs: { id: string; state: JobState; epoch: number; priority: number; events: number }[] = []
  readonly keys = new Map<string, { id: string; hash: string }>()
  seq = 0

  record(job: { events: number }, count: number): void {
    job.events += count
    this.seq += count
  }

  admit(id: string, priority: number, key: string | null, hash: string): string {
    const found = key === null ? undefined : this.keys.get(key)
    if (found) return found.hash === hash ? 'repeated' : 'conflict'
    const job = { id, state: 'queued' as const, epoch: 0, priority, events: 0 }
    this.jobs.push(job)
    if (key !== null) this.keys.set(key, { id, hash })
    this.record(job, 1)
    return 'accepted'
  }

  claim(limit: number): string[] {
    const next = this.jobs.filter(({ state }) => state === 'queued').sort((x, y) => y.priority - x.priority)
    return next.slice(0, limit).map(job => {
      job.state = 'placing'
      job.epoch += 1
      this.record(job, 1)
      return job.id
    })
  }

  change(id: string, guard: { state: JobState; epoch: number }, to: JobState): boolean {
    const job = this.jobs.find(one => one.id === id)
    if (!job || job.state !== guard.state || job.epoch !== guard.epoch) return false
    job.state = to
    this.record(job, 1)
    return true
  }
}

type Step =
  | { do: 'admit'; priority: number; key: string | null; hash: string }
  | { do: 'claim'; limit: number }
  | { do: 'change'; pick: number; from: JobState; arrow: number; stale: boolean }
  | { do: 'append'; pick: number; durable: boolean }
  | { do: 'reopen' }

const small = fc.nat({ max: 20 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('admit' as const),
      priority: fc.integer({ min: -2, max: 2 }),
      key: fc.option(fc.constantFrom('k', 'l')),
      hash: fc.constantFrom('1', '2'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      pick: small,
      from: fc.constantFrom(...JOB_STATES),
      arrow: small,
      stale: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append' as const), pick: small, durable: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
)

/** Asks the model and the store for the same; what they answer must be equal. */
function run(model: Model, store: Store, step: Exclude<Step, { do: 'reopen' }>, number: number): Promise<unknown> {
  switch (step.do) {
    case 'admit': {
      const idempotency = step.key === null ? null : { key: step.key, bodyHash: step.hash }
      const given = newJob(String(number), { priority: step.priority }, idempotency)
      const outcome = model.admit(given.job.id, step.priority, step.key, step.hash)
      return store.admit(given).then(answer => expect(answer.outcome).toBe(outcome))
    }
    case 'claim': {
      const claimed = model.claim(step.limit)
      return store.claim(step.limit, AT).then(rows => expect(rows.map(({ id }) => id)).toEqual(claimed))
    }
    case 'change': {
      const job = model.jobs[step.pick % Math.max(1, model.jobs.length)]
      if (!job) return Promise.resolve()
      // Half of the changes come from where the job is, the others from a state and an epoch it may have left.
      const guard = step.stale ? { state: step.from, epoch: Math.max(0, job.epoch - 1) } : { state: job.state, epoch: job.epoch }
      const to = ARROWS[guard.state][step.arrow % Math.max(1, ARROWS[guard.state].length)]
      // Only a claim moves a job to placing, because only it raises the epoch.
      if (to === undefined || to === 'placing') return Promise.resolve()
      const applied = model.change(job.id, guard, to)
      return store.change(moves({ id: job.id, ...guard }, to)).then(answer => expect(answer).toBe(applied))
    }
    case 'append': {
      const job = model.jobs[step.pick % Math.max(1, model.jobs.length)]
      if (!job) return Promise.resolve()
      model.record(job, 2)
      const note = { type: 'warning', code: 'note', detail: String(number) } as const
      return store.append(job.id, [note, note], AT, { durable: step.durable })
    }
  }
}

async function expectEqual(model: Model, store: Store, told: readonly JobEvent[]): Promise<void> {
  const { rows } = await store.jobs({ before: null, limit: 10_000 })
  const shown = rows.map(({ id, state, epoch, priority }) => ({ id, state, epoch, priority })).reverse()
  expect(shown).toEqual(model.jobs.map(({ id, state, epoch, priority }) => ({ id, state, epoch, priority })))
  const all = await store.allEvents(0, 100_000)
  expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: model.seq }, (_, index) => index + 1))
  expect(told).toEqual(all)
  for (const job of model.jobs) {
    const events = await store.events(job.id, 0, 10_000)
    expect(events.map(({ n }) => n)).toEqual(Array.from({ length: job.events }, (_, index) => index + 1))
    expect(events).toEqual(all.filter(({ jobId }) => jobId === job.id))
  }
  expect((await store.inFlight()).map(({ id }) => id)).toEqual(
    model.jobs.filter(({ state }) => state !== 'queued' && !isEnd(state)).map(({ id }) => id),
  )
}

test('does what a plain model does, whatever is asked, in whatever groups', async () => {
  await fc.assert(
    // Steps of one inner array are asked for in the same turn, so they share a transaction.
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 12 }), async turns => {
      const directory = mkdtempSync(join(tmpdir(), 'skein-model-'))
      const told: JobEvent[] = []
      const clock = virtualClock()
      const open = async () => {
        const store = await sqliteStore({ file: join(directory, 'skein.db'), clock })
        store.onEvents(events => told.push(...events))
        return store
      }
      let store = await open()
      try {
        const model = new Model()
        let number = 0
        for (const turn of turns) {
          const asked = turn.flatMap(one => (one.do === 'reopen' ? [] : [run(model, store, one, number++)]))
          clock.advance(50)
          await Promise.all(asked)
          if (turn.some(one => one.do === 'reopen')) {
            await store.close()
            store = await open()
          }
        }
        await expectEqual(model, store, told)
      } finally {
        await store.close()
        rmSync(directory, { recursive: true, force: true })
      }
    }),
    { numRuns: 60 },
  )
})
