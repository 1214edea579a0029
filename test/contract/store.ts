import { describe, expect, test } from 'vitest'
import type { Change, NewJob, Store } from '#server/store/index.ts'
import { type CheckVerdict, type EventBody, JobSpec, type JobState, type Result } from '#shared/model/index.ts'
import { AT, moves, newJob, resultWithChecks } from './job.ts'

const TO_THE_END: JobState[] = ['preparing', 'running', 'checking', 'succeeded']
const note = (detail: string): EventBody => ({ type: 'warning', code: 'note', detail })
const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id.replace(/^0+/, ''))

/** Admits a job and claims it. */
async function claimed(store: Store, id: string, fields: Partial<NewJob['job']> = {}) {
  await store.admit(newJob(id, fields))
  const [job] = await store.claim(1, AT)
  if (job?.id !== id.padStart(14, '0')) throw new Error(`claimed ${job?.id} instead of ${id}`)
  return job
}

/** What every store promises. `open` gives an empty one that the caller need not close. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} keeps the promises of a store`, () => {
    describe('admission', () => {
      test('a job is found again as it was given, with its first event', async () => {
        const store = await open()
        const snapshot = { commit: 'c', base: null, dirty: true, repositoryId: 'r', branch: 'main' }
        const given = newJob('a', { snapshot, priority: 7, retryOf: '00000000000000', title: 'ü "quoted" \u0000' })
        expect(await store.admit(given)).toEqual({ outcome: 'accepted', id: given.job.id, state: 'queued' })
        expect(await store.job(given.job.id)).toEqual(given.job)
        expect(await store.events(given.job.id, 0, 10)).toEqual([
          { seq: 1, jobId: given.job.id, n: 1, at: new Date(AT).toISOString(), body: given.events[0] },
        ])
        expect(await store.job('zzzzzzzzzzzzzz')).toBeNull()
      })

      test('one idempotency key is one job, also for two requests of the same moment', async () => {
        const store = await open()
        const same = { key: 'k', bodyHash: 'h' }
        const outcomes = await Promise.all([
          store.admit(newJob('a', {}, same)),
          store.admit(newJob('b', {}, same)),
          store.admit(newJob('c', {}, { key: 'k', bodyHash: 'other' })),
        ])
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(['accepted', 'repeated', 'conflict'])
        expect(outcomes[1]).toMatchObject({ id: newJob('a').job.id })
        expect(await store.admit(newJob('d', {}, same))).toMatchObject({ outcome: 'repeated', state: 'queued' })
        expect(await store.repeated('k')).toEqual({ id: newJob('a').job.id, state: 'queued', bodyHash: 'h' })
        expect(await store.repeated('unused')).toBeNull()
        expect((await store.jobs({ before: null, limit: 10 })).rows).toHaveLength(1)
      })

      test('the newest job of each task of a spec is found by its feature, and goes with the job', async () => {
        const store = await open()
        const named = (id: string, task: string, path = '/src/app', feature = '001-login', result: Result | null = null) =>
          newJob(
            id,
            { result, spec: JobSpec.parse({ task: 'do it', repository: { path }, spec: { feature, task } }) },
            null,
            `of ${id}`,
          )
        for (const job of [named('a', 'T001'), named('b', 'T001'), named('d', 'T001', '/src/other')]) await store.admit(job)
        await store.admit(named('c', 'T002', '/src/app', '001-login', resultWithChecks(0, 1, 0)))
        await store.admit(named('e', 'T001', '/src/app', '002-fleet'))
        await store.admit(newJob('f'))
        const found = await store.specJobs('001-login')
        const idOf = (id: string) => newJob(id).job.id
        const queued = { state: 'queued', worker: null } as const
        const check = (verdict: CheckVerdict) => ({ argv: ['true'], verdict })
        const checks = [check('fixed'), check('red'), check('fixed')]
        expect(found).toEqual([
          { ...queued, jobId: idOf('c'), task: 'T002', repository: '/src/app', checks, wording: 'of c' },
          { ...queued, jobId: idOf('d'), task: 'T001', repository: '/src/other', checks: [], wording: 'of d' },
          { ...queued, jobId: idOf('b'), task: 'T001', repository: '/src/app', checks: [], wording: 'of b' },
        ])
        await store.remove([found[2]?.jobId ?? ''])
        const ids = (await store.specJobs('001-login')).map(({ jobId }) => jobId.replace(/^0+/, ''))
        expect(ids).toEqual(['c', 'd', 'a'])
      })

      test('a retry has the wording of the job that it repeats', async () => {
        const store = await open()
        const spec = JobSpec.parse({ task: 'do it', repository: { path: '/r' }, spec: { feature: '001-a', task: 'T001' } })
        const first = newJob('a', { spec }, null, 'then')
        await store.admit(first)
        const again = newJob('b', { spec, retryOf: first.job.id })
        await store.admit(again)
        await store.admit(newJob('c', { spec, retryOf: again.job.id }))
        await store.remove([first.job.id])
        expect(await store.specJobs('001-a')).toMatchObject([{ jobId: newJob('c').job.id, wording: 'then' }])
        await store.admit(newJob('d', { spec }))
        expect(await store.specJobs('001-a')).toMatchObject([{ wording: null }])
      })

      test('a forgotten key may be used again', async () => {
        const store = await open()
        await store.admit(newJob('a', {}, { key: 'k', bodyHash: 'h' }))
        expect(await store.forgetIdempotency(AT)).toBe(0)
        expect(await store.forgetIdempotency(AT + 1)).toBe(1)
        expect(await store.admit(newJob('b', {}, { key: 'k', bodyHash: 'x' }))).toMatchObject({ outcome: 'accepted' })
      })

      test('an admission that cannot be stored fails alone', async () => {
        const store = await open()
        const outcomes = await Promise.allSettled(['a', 'b', 'b', 'c'].map(id => store.admit(newJob(id))))
        expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
        expect((await store.allEvents(0, 10)).map(({ seq, n }) => [seq, n])).toEqual([
          [1, 1],
          [2, 1],
          [3, 1],
        ])
      })
    })

    describe('claiming', () => {
      test('takes the highest priority first and the oldest of a priority', async () => {
        const store = await open()
        for (const [id, priority] of Object.entries({ a: 0, b: 5, c: -1, d: 5, e: 0 })) {
          await store.admit(newJob(id, { priority }))
        }
        expect(ids(await store.claim(3, AT))).toEqual(['b', 'd', 'a'])
        expect(ids(await store.claim(9, AT))).toEqual(['e', 'c'])
        expect(await store.claim(9, AT)).toEqual([])
      })

      test('moves to placing under the next epoch, says so, and keeps the first start', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        expect(job).toMatchObject({ state: 'placing', epoch: 1, startedAt: AT, updatedAt: AT })
        expect(await store.job(job.id)).toEqual(job)
        await store.change(moves(job, 'queued'))
        const [again] = await store.claim(1, AT + 50)
        expect(again).toMatchObject({ epoch: 2, startedAt: AT, updatedAt: AT + 50 })
        const bodies = (await store.events(job.id, 1, 10)).map(({ body }) => body)
        expect(bodies).toMatchObject([
          { from: 'queued', to: 'placing', epoch: 1 },
          { from: 'placing', to: 'queued', epoch: 1 },
          { from: 'queued', to: 'placing', epoch: 2 },
        ])
      })

      test('two claims of the same moment never take one job twice', async () => {
        const store = await open()
        for (const id of ['a', 'b', 'c']) await store.admit(newJob(id))
        const [first = [], second = []] = await Promise.all([store.claim(2, AT), store.claim(2, AT)])
        expect(ids([...first, ...second])).toEqual(['a', 'b', 'c'])
      })
    })

    describe('guarded changes', () => {
      test('apply whole where the guard holds', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        const failure = { code: 'internal', detail: 'why' } as const
        const change: Change = {
          ...moves(job, 'failed'),
          patch: { state: 'failed', failure, cancelRequested: true, undelivered: true, endedAt: AT + 9 },
        }
        expect(await store.change(change)).toBe(true)
        const after = { ...job, state: 'failed', failure, cancelRequested: true, undelivered: true, endedAt: AT + 9 }
        expect(await store.job(job.id)).toEqual({ ...after, updatedAt: AT + 5 })
      })

      test.each([
        ['state', { state: 'running', epoch: 1 }],
        ['epoch', { state: 'placing', epoch: 2 }],
      ] as const)('write nothing where the %s is another', async (_, guard) => {
        const store = await open()
        const job = await claimed(store, 'a')
        const identity = { jobId: job.id, epoch: 1, purpose: 'agent', pid: 7, startTime: 'b:1' }
        const change = {
          id: job.id,
          guard,
          patch: { cancelRequested: true },
          events: [note('no')],
          at: AT + 5,
          process: identity,
        }
        expect(await store.change(change)).toBe(false)
        expect(await store.job(job.id)).toEqual(job)
        expect(await store.processes()).toEqual([])
        expect(await store.lastSeq()).toBe(2)
      })

      test('of the same moment see each other: only the first of two moves wins', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        expect(await Promise.all([store.change(moves(job, 'preparing')), store.change(moves(job, 'cancelled'))])).toEqual([
          true,
          false,
        ])
      })

      test('may take several steps of a life at once, with an event each', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        expect(await store.change(moves(job, ...TO_THE_END))).toBe(true)
        expect((await store.events(job.id, 2, 10)).map(({ n, body }) => [n, body.type === 'job.state' && body.to])).toEqual(
          TO_THE_END.map((state, index) => [index + 3, state]),
        )
        expect(await store.job(job.id)).toMatchObject({ state: 'succeeded', endedAt: AT + 5 })
      })

      test('off the arrows of the model are refused as errors, without harm to others of the moment', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        const outcomes = await Promise.allSettled([
          store.change(moves(job, 'succeeded')),
          store.change({ ...moves(job, 'preparing'), events: [] }),
          store.change({ ...moves(job), events: moves(job, 'preparing').events }),
          store.change({ ...moves(job, 'preparing'), guard: { state: 'queued', epoch: 0 } }),
          store.append(job.id, [note('fine')], AT),
        ])
        expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected', 'fulfilled'])
        expect(await store.job(job.id)).toMatchObject({ state: 'placing', epoch: 1 })
      })

      test('remember processes until they are forgotten', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        const identity = { jobId: job.id, epoch: 1, purpose: 'agent', pid: 7, startTime: 'b:1' }
        await store.change({ ...moves(job), process: identity })
        expect(await store.processes()).toEqual([identity])
        await store.change({ ...moves(job), forgetProcesses: true })
        expect(await store.processes()).toEqual([])
      })

      test('dismiss what runs on another node when the job moves on, and tell until it was told', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        const row = { jobId: job.id, epoch: 1, worker: 'w', seen: 0, logOffset: 3, executor: 'process' }
        await store.change({ ...moves(job), away: row })
        await store.change({ ...moves(job), away: { ...row, seen: 7 } })
        expect(await store.away(job.id)).toEqual({ ...row, seen: 7 })
        expect(await store.dismissals()).toEqual([])
        await store.change({ ...moves(job, 'queued'), patch: { state: 'queued', losses: 1 }, forgetProcesses: true })
        expect(await store.job(job.id)).toMatchObject({ state: 'queued', losses: 1 })
        expect(await store.away(job.id)).toBeNull()
        const [dismissal] = await store.dismissals()
        expect(dismissal).toEqual({ worker: 'w', jobId: job.id, epoch: 1, since: AT + 5 })
        await store.remove([job.id])
        expect(await store.dismissals()).toEqual([dismissal])
        if (dismissal) await store.forgetDismissal(dismissal)
        expect(await store.dismissals()).toEqual([])
      })

      test('keep an attempt that is set aside through those that follow, and dismiss all when the job ends', async () => {
        const store = await open()
        const first = await claimed(store, 'a')
        const row = { jobId: first.id, epoch: 1, worker: 'w', seen: 2, logOffset: 0, executor: 'process' }
        await store.change({ ...moves(first), away: row })
        await store.change({ ...moves(first, 'queued'), forgetProcesses: true, setAside: true })
        expect(await store.dismissals()).toEqual([])
        const [second] = await store.claim(1, AT)
        if (!second) throw new Error('not claimed')
        await store.change({ ...moves(second), away: { ...row, epoch: 2, worker: 'x' } })
        expect(await store.away(first.id)).toMatchObject({ epoch: 2, worker: 'x' })
        expect(await store.aside()).toEqual([row])
        expect(await store.appendAside({ ...row, seen: 5 }, [note('from afar')], AT)).toBe(true)
        expect(await store.appendAside({ ...row, epoch: 2 }, [note('not aside')], AT)).toBe(false)
        expect(await store.aside(first.id)).toEqual([{ ...row, seen: 5 }])
        await store.change({ ...moves(second, 'queued'), forgetProcesses: true })
        expect(await store.dismissals()).toMatchObject([{ worker: 'x', epoch: 2 }])
        expect(await store.aside('zzzzzzzzzzzzzz')).toEqual([])
        const [third] = await store.claim(1, AT)
        if (!third) throw new Error('not claimed')
        await store.change({ ...moves(third, 'failed'), forgetProcesses: true })
        expect(await store.aside()).toEqual([])
        expect((await store.dismissals()).map(({ worker }) => worker).sort()).toEqual(['w', 'x'])
        expect(await store.appendAside(row, [note('too late')], AT)).toBe(false)
        const bodies = (await store.events(first.id, 0, 100)).map(({ body }) => ('detail' in body ? body.detail : ''))
        expect(bodies).toContain('from afar')
        expect(bodies).not.toContain('too late')
      })

      test('keep events of a hosted attempt until they are safe at its home, and number on from there', async () => {
        const store = await open()
        const key = { home: 'h', jobId: newJob('a').job.id, epoch: 1 }
        await store.hosted.accept(key, {} as never, AT)
        const numbers = async () => (await store.hosted.events(key, 0, 10)).map(({ n }) => n)
        /** Forgets without hurry: with the write that follows. */
        const tell = async (detail: string, upTo: number, of = key) => {
          const forgotten = store.hosted.forgetEvents(of, upTo)
          await store.hosted.append(key, [note(detail)], AT)
          await forgotten
        }
        for (const detail of ['1', '2', '3']) await store.hosted.append(key, [note(detail)], AT)
        await tell('4', 2)
        expect(await numbers()).toEqual([3, 4])
        await tell('5', 1)
        await tell('6', 9, { ...key, epoch: 2 })
        expect(await numbers()).toEqual([3, 4, 5, 6])
        expect(await store.hosted.get(key)).toMatchObject({ lastN: 6 })
      })

      test('give up an attempt that is set aside once, and say so once', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        const row = { jobId: job.id, epoch: 1, worker: 'w', seen: 2, logOffset: 0, executor: 'process' }
        await store.change({ ...moves(job), away: row })
        await store.change({ ...moves(job, 'queued'), forgetProcesses: true, setAside: true })
        for (const _ of [1, 2]) await store.dropAside(row, note('gone'), AT)
        expect(await store.aside()).toEqual([])
        expect(await store.dismissals()).toMatchObject([{ worker: 'w', epoch: 1 }])
        expect((await store.events(job.id, 0, 100)).filter(({ body }) => body.type === 'warning')).toHaveLength(1)
      })

      test('keep a result apart from a failure, and both until they are replaced', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        const failure = { code: 'check_failed', detail: 'red' } as const
        await store.change({ ...moves(job), patch: { failure } })
        await store.change({ ...moves(job), patch: { cancelRequested: true } })
        expect(await store.job(job.id)).toMatchObject({ failure, result: null, cancelRequested: true })
        await store.change({ ...moves(job), patch: { failure: null } })
        expect(await store.job(job.id)).toMatchObject({ failure: null })
      })
    })

    describe('events', () => {
      test('are numbered without gaps, over all and by job, and told after the write in order', async () => {
        const store = await open()
        const told: number[] = []
        const stop = store.onEvents(events => told.push(...events.map(({ seq }) => seq)))
        const [a, b] = [newJob('a'), newJob('b')]
        await Promise.all([store.admit(a), store.admit(b)])
        await Promise.all([
          store.append(a.job.id, [note('1'), note('2')], AT),
          store.append(b.job.id, [note('3')], AT),
          store.append(a.job.id, [note('4')], AT),
        ])
        stop()
        await store.append(a.job.id, [note('untold')], AT)
        expect(told).toEqual([1, 2, 3, 4, 5, 6])
        expect((await store.allEvents(2, 3)).map(({ seq, n }) => [seq, n])).toEqual([
          [3, 2],
          [4, 3],
          [5, 2],
        ])
        expect((await store.events(a.job.id, 1, 2)).map(({ n }) => n)).toEqual([2, 3])
        expect(await store.lastSeq()).toBe(7)
      })

      test('of a job that is gone are refused', async () => {
        const store = await open()
        await expect(store.append('zzzzzzzzzzzzzz', [note('?')], AT)).rejects.toMatchObject({ code: 'not_found' })
      })

      test('a listener that throws harms neither the write nor the other listeners', async () => {
        const store = await open()
        let told = 0
        store.onEvents(() => {
          throw new Error('mine')
        })
        store.onEvents(() => {
          told += 1
        })
        await store.admit(newJob('a'))
        expect(told).toBe(1)
      })
    })

    test('wakes whoever waits for work, once a write, when a job is new or comes back', async () => {
      const store = await open()
      let woken = 0
      store.onQueued(() => {
        woken += 1
      })
      await Promise.all([store.admit(newJob('a')), store.admit(newJob('b'))])
      expect(woken).toBe(1)
      const [job] = await store.claim(1, AT)
      if (!job) throw new Error('nothing to claim')
      await store.change(moves(job, 'preparing'))
      expect(woken).toBe(1)
      await store.change(moves({ ...job, state: 'preparing' }, 'queued'))
      expect(woken).toBe(2)
    })

    describe('lists', () => {
      test('go by pages from the newest, of all jobs or of some states', async () => {
        const store = await open()
        for (const id of ['a', 'b', 'c', 'd', 'e']) await store.admit(newJob(id))
        const [a, b] = await store.claim(2, AT)
        if (!a || !b) throw new Error('nothing to claim')
        await store.change(moves(a, ...TO_THE_END))
        const first = await store.jobs({ before: null, limit: 2 })
        const second = await store.jobs({ before: first.next, limit: 2 })
        const third = await store.jobs({ before: second.next, limit: 2 })
        expect([first, second, third].map(({ rows }) => ids(rows))).toEqual([['e', 'd'], ['c', 'b'], ['a']])
        expect(third.next).toBeNull()
        const list = async (filter: { state?: JobState; active?: boolean }) =>
          ids((await store.jobs({ before: null, limit: 9, ...filter })).rows)
        expect(await list({ state: 'queued' })).toEqual(['e', 'd', 'c'])
        expect(await list({ active: true })).toEqual(['e', 'd', 'c', 'b'])
        expect(await list({ active: false })).toEqual(['a'])
        expect(await list({ state: 'succeeded', active: true })).toEqual([])
        expect(await list({ state: 'placing', active: true })).toEqual(['b'])
      })

      test('of a feature go by pages, of every work tree or of one, and of some states', async () => {
        const store = await open()
        const named = (id: string, feature: string, path = '/r') =>
          newJob(id, { spec: JobSpec.parse({ task: 'do it', repository: { path }, spec: { feature, task: 'T001' } }) })
        for (const id of ['a', 'b', 'c']) await store.admit(named(id, '001-a'))
        await store.admit(named('d', '001-a', '/other'))
        await store.admit(named('e', '002-b'))
        await store.admit(newJob('f'))
        await store.claim(1, AT)
        const list = async (repository: string | null, more: Partial<Parameters<Store['jobs']>[0]> = {}) => {
          const query = { before: null, limit: 9, spec: { feature: '001-a', repository }, ...more }
          const { rows, next } = await store.jobs(query)
          return { found: ids(rows), next }
        }
        expect(await list(null)).toEqual({ found: ['d', 'c', 'b', 'a'], next: null })
        const first = await list('/r', { limit: 2 })
        expect(first.found).toEqual(['c', 'b'])
        expect(await list('/r', { limit: 2, before: first.next })).toEqual({ found: ['a'], next: null })
        expect((await list('/r', { active: false })).found).toEqual([])
        expect((await list('/r', { state: 'placing' })).found).toEqual(['a'])
        expect((await list(null, { state: 'queued', active: true, limit: 2 })).found).toEqual(['d', 'c'])
        expect((await list(null, { state: 'queued', active: false })).found).toEqual([])
        expect((await list('/none')).found).toEqual([])
      })

      test('are for features of work trees, which are counted and go by pages', async () => {
        const store = await open()
        expect(await store.jobSpecs(null, 9)).toEqual([])
        for (const [id, feature, path] of [
          ['a', '001-a', '/r'],
          ['b', '001-a', '/r'],
          ['c', '001-a', '/other'],
          ['d', '002-b', '/r'],
        ] as const) {
          const spec = { task: 'do it', repository: { path }, spec: { feature, task: 'T001' } }
          await store.admit(newJob(id, { spec: JobSpec.parse(spec) }))
        }
        await store.admit(newJob('e'))
        const first = await store.jobSpecs(null, 2)
        expect(first).toEqual([
          { feature: '001-a', repository: '/other', jobs: 1 },
          { feature: '001-a', repository: '/r', jobs: 2 },
        ])
        expect(await store.jobSpecs(first[1] ?? null, 2)).toEqual([{ feature: '002-b', repository: '/r', jobs: 1 }])
      })

      test('name what a start must make good: attempts cut off, results and logs not yet home', async () => {
        const store = await open()
        const cutOff = await claimed(store, 'a')
        const ended = await claimed(store, 'b')
        await store.change({ ...moves(ended, ...TO_THE_END), patch: { state: 'succeeded', undelivered: true } })
        await store.admit(newJob('c'))
        expect(await store.inFlight()).toEqual([cutOff])
        expect(ids(await store.undelivered())).toEqual(['b'])
        expect(await store.unsealed()).toEqual([ended.id])
        const log = { jobId: ended.id, bytes: 5, sha256: 'x', sealedAt: AT + 9 }
        const sealed = { type: 'log.sealed', bytes: 5, sha256: 'x' } as const
        await store.sealLog(log, sealed)
        await store.sealLog(log, sealed)
        expect(await store.unsealed()).toEqual([])
        expect(await store.log(ended.id)).toEqual(log)
        expect(await store.log(cutOff.id)).toBeNull()
        expect((await store.events(ended.id, 6, 9)).map(({ body }) => body)).toEqual([sealed])
        await store.change({ ...moves({ ...ended, state: 'succeeded' }), patch: { undelivered: false } })
        expect(await store.undelivered()).toEqual([])
      })

      test('tell which jobs waited too long, and when the next one will have', async () => {
        const store = await open()
        const back = await claimed(store, 'started', { queueDeadline: AT + 1 })
        await store.change(moves(back, 'queued'))
        await store.admit(newJob('a', { queueDeadline: AT + 10 }))
        await store.admit(newJob('b', { queueDeadline: AT + 20 }))
        expect(await store.overdue(AT + 9)).toEqual({ ids: [], next: AT + 10 })
        expect(await store.overdue(AT + 10)).toMatchObject({ ids: [newJob('a').job.id], next: AT + 20 })
        expect(await store.overdue(AT + 99)).toMatchObject({ next: null })
      })

      test('tell which jobs ended first, with the size of their logs, once nothing is to be done with them', async () => {
        const store = await open()
        for (const [id, endedAt] of Object.entries({ a: AT + 30, b: AT + 10, c: AT + 20, d: AT, e: AT })) {
          const job = await claimed(store, id)
          const patch = { state: 'failed', endedAt, undelivered: id === 'd' } as const
          await store.change({ ...moves(job, 'failed'), patch })
        }
        for (const [id, bytes] of Object.entries({ a: 0, b: 42, c: 0, d: 0 })) {
          const row = { jobId: newJob(id).job.id, bytes, sha256: 'x', sealedAt: AT }
          await store.sealLog(row, { type: 'log.sealed', bytes, sha256: 'x' })
        }
        expect(await store.ended(AT + 30, 9)).toEqual([
          { id: newJob('b').job.id, endedAt: AT + 10, logBytes: 42 },
          { id: newJob('c').job.id, endedAt: AT + 20, logBytes: 0 },
        ])
        expect(ids(await store.ended(AT + 99, 1))).toEqual(['b'])
      })
    })

    describe('what attempts teach', () => {
      const ran = { agent: 'command', executor: 'process', model: null, repository: 'shop', ms: 1_234 }
      const kept = {
        node: 'a'.repeat(26),
        agent: 'command',
        executor: 'process',
        model: 'qwen',
        promised: { startMs: 0, runMs: 1_000 },
        actual: { startMs: 5, runMs: 1_234 },
      }

      test('is kept with the end that taught it, oldest first, and outlives the job', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        await store.change({ ...moves(job, 'failed'), lesson: { ran, kept } })
        const second = await claimed(store, 'b')
        await store.change({ ...moves(second, 'failed'), lesson: { ran: { ...ran, model: 'qwen', repository: null, ms: 2 } } })
        await store.remove([job.id, second.id])
        expect(await store.learned.ran()).toEqual([ran, { ...ran, model: 'qwen', repository: null, ms: 2 }])
        expect(await store.learned.kept()).toEqual([kept])
      })

      test('is not believed of an end that is refused', async () => {
        const store = await open()
        const job = await claimed(store, 'a')
        const late = { ...moves(job, 'failed'), guard: { state: 'running' as const, epoch: 7 }, events: [], patch: {} }
        expect(await store.change({ ...late, lesson: { ran } })).toBe(false)
        expect(await store.learned.ran()).toEqual([])
      })

      test('is kept with the end of an attempt of another node', async () => {
        const store = await open()
        const key = { home: 'b'.repeat(26), jobId: newJob('a').job.id, epoch: 1 }
        await store.hosted.accept(key, {} as never, AT)
        await store.hosted.append(key, [], AT, { end: { kind: 'lost', reason: 'x' }, lesson: { ran } })
        await store.hosted.append(key, [], AT, { lesson: { ran } })
        expect(await store.learned.ran()).toEqual([ran])
      })
    })

    test('a removed job leaves nothing, and its numbers are not given again', async () => {
      const store = await open()
      const job = await claimed(store, 'a')
      await store.change({
        ...moves(job, 'failed'),
        process: { jobId: job.id, epoch: 1, purpose: 'agent', pid: 1, startTime: 's' },
      })
      await store.remove([job.id, 'zzzzzzzzzzzzzz'])
      expect(await store.job(job.id)).toBeNull()
      expect(await store.allEvents(0, 9)).toEqual([])
      expect(await store.processes()).toEqual([])
      await store.admit(newJob('b'))
      expect((await store.allEvents(0, 9)).map(({ seq, n }) => [seq, n])).toEqual([[4, 1]])
    })

    test('a closed store refuses writes, after those that were under way', async () => {
      const store = await open()
      const underWay = store.admit(newJob('a'))
      await store.close()
      await expect(underWay).resolves.toMatchObject({ outcome: 'accepted' })
      await expect(store.admit(newJob('b'))).rejects.toThrow('closed')
      await store.close()
    })
  })
}
