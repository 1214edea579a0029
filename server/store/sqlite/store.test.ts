import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Store } from '#server/store/index.ts'
import { AT, moves, newJob } from '#test/contract/job.ts'
import { type VirtualClock, virtualClock } from '#test/fakes/clock.ts'
import { sqliteStore } from './index.ts'

let directory: string
let clock: VirtualClock
let store: Store
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'skein-sqlite-'))
  clock = virtualClock()
  store = await sqliteStore({ file: join(directory, 'skein.db'), clock })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

const many = (count: number, from = 0) => Array.from({ length: count }, (_, index) => newJob(String(from + index)))
const note = { type: 'warning', code: 'note', detail: '' } as const

/** What some work costs, in statements and transactions. */
async function cost(work: () => Promise<unknown>): Promise<{ statements: number; transactions: number }> {
  const before = store.counts()
  await work()
  const after = store.counts()
  return { statements: after.statements - before.statements, transactions: after.transactions - before.transactions }
}

test('all writes of one turn share one transaction, whatever they are', async () => {
  await Promise.all(many(2).map(job => store.admit(job)))
  const [job] = await store.claim(1, AT)
  if (!job) throw new Error('nothing to claim')
  const mixed = await cost(() =>
    Promise.all([
      ...many(60, 2).map(one => store.admit(one)),
      store.claim(1, AT),
      store.change(moves(job, 'preparing')),
      store.append(job.id, [note], AT),
      store.append(job.id, [note], AT, { durable: false }),
    ]),
  )
  expect(mixed.transactions).toBe(1)
})

test('64 callers, each waiting for its own job, pay for one transaction a round', async () => {
  const rounds = 5
  const caller = async (_: unknown, number: number) => {
    for (let round = 0; round < rounds; round++) await store.admit(newJob(`${number}x${round}`))
  }
  expect((await cost(() => Promise.all(Array.from({ length: 64 }, caller)))).transactions).toBe(rounds)
})

test('a flood is split, so that no transaction holds the event loop for long', async () => {
  expect((await cost(() => Promise.all(many(2500).map(job => store.admit(job))))).transactions).toBe(3)
})

test('writes that fail cost their neighbours a transaction, not their data', async () => {
  const [first, second] = many(2)
  if (!first || !second) throw new Error('no jobs')
  const outcomes = await Promise.allSettled([store.admit(first), store.admit(first), store.admit(second)])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await store.lastSeq()).toBe(2)
})

test('an append without hurry waits for the next write', async () => {
  const [job, other] = many(2)
  if (!job || !other) throw new Error('no jobs')
  await store.admit(job)
  let stored = false
  const appended = store.append(job.job.id, [note], AT, { durable: false }).then(() => {
    stored = true
  })
  await turn()
  expect(stored).toBe(false)
  expect((await cost(() => Promise.all([store.admit(other), appended]))).transactions).toBe(1)
  expect(clock.waiting()).toBe(0)
})

test('an append without hurry goes by itself after 50 ms', async () => {
  const [job] = many(1)
  if (!job) throw new Error('no job')
  await store.admit(job)
  const appended = store.append(job.job.id, [note], AT, { durable: false })
  clock.advance(49)
  expect(store.counts().transactions).toBe(1)
  clock.advance(1)
  await appended
  expect(await store.events(job.job.id, 1, 9)).toHaveLength(1)
})

test('a write that the timer of an append takes along is not followed by an empty transaction', async () => {
  const [job, other] = many(2)
  if (!job || !other) throw new Error('no jobs')
  await store.admit(job)
  const spent = await cost(async () => {
    const both = [store.append(job.job.id, [note], AT, { durable: false }), store.admit(other)]
    clock.advance(50)
    await Promise.all(both)
    await turn()
  })
  expect(spent.transactions).toBe(1)
})

test('idle, it runs no statement and no timer', async () => {
  await Promise.all(many(3).map(job => store.admit(job)))
  const idle = await cost(async () => {
    clock.advance(3_600_000)
    for (let turns = 0; turns < 100; turns++) await turn()
  })
  expect(idle).toEqual({ statements: 0, transactions: 0 })
  expect(clock.waiting()).toBe(0)
})

test('a claim costs the same at any backlog', async () => {
  await Promise.all(many(10).map(job => store.admit(job)))
  const few = await cost(() => store.claim(4, AT))
  await Promise.all(many(3000, 10).map(job => store.admit(job)))
  expect(await cost(() => store.claim(4, AT))).toEqual(few)
})

test('what an end teaches costs two statements in its own transaction, and no more room after the first 2,048', async () => {
  const ran = { agent: 'command', executor: 'process', model: null, repository: null, ms: 0 }
  const kept = {
    node: 'a',
    agent: 'command',
    executor: 'process',
    model: null,
    promised: { startMs: 0, runMs: 0 },
    actual: { startMs: 0, runMs: 0 },
  }
  await Promise.all(many(2).map(job => store.admit(job)))
  const [first, second] = await store.claim(2, AT)
  if (!first || !second) throw new Error('nothing to claim')
  const plain = await cost(() => store.change(moves(first, 'failed')))
  const taught = await cost(() => store.change({ ...moves(second, 'failed'), lesson: { ran, kept } }))
  expect(taught).toEqual({ statements: plain.statements + 2, transactions: plain.transactions })

  await Promise.all(many(2_100, 10).map(job => store.admit(job)))
  const jobs = await store.claim(2_100, AT)
  await Promise.all(jobs.map((job, index) => store.change({ ...moves(job, 'failed'), lesson: { ran: { ...ran, ms: index } } })))
  const remembered = await store.learned.ran()
  expect(remembered).toHaveLength(2_048)
  expect(remembered.map(({ ms }) => ms)).toEqual(Array.from({ length: 2_048 }, (_, index) => index + 2_100 - 2_048))
})

test('no question and no write walks a table of jobs or events, or sorts more than it returns', async () => {
  const asked = new Set<string>()
  const prepare = DatabaseSync.prototype.prepare
  vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (this: DatabaseSync, sql: string) {
    asked.add(sql)
    return prepare.call(this, sql)
  })
  await Promise.all(many(3).map((one, index) => store.admit({ ...one, idempotency: { key: `${index}`, bodyHash: '' } })))
  const [job] = await store.claim(1, AT)
  if (!job) throw new Error('nothing to claim')
  const ran = { agent: '', executor: '', model: null, repository: null, ms: 0 }
  const times = { startMs: 0, runMs: 0 }
  const kept = { ...ran, node: '', promised: times, actual: times }
  await store.change({ ...moves(job, 'preparing'), forgetProcesses: true, lesson: { ran, kept } })
  await store.append(job.id, [note], AT)
  await store.sealLog({ jobId: job.id, bytes: 0, sha256: '', sealedAt: AT }, note)
  await Promise.all([store.job(job.id), store.repeated('0'), store.inFlight(), store.undelivered(), store.unsealed()])
  await Promise.all([store.overdue(AT), store.ended(AT, 9), store.events(job.id, 0, 9), store.allEvents(0, 9), store.log(job.id)])
  for (const filter of [{}, { active: true }, { active: false }, { state: 'queued' as const }]) {
    await store.jobs({ before: null, limit: 9, ...filter })
  }
  for (const repository of [null, '/r'])
    for (const filter of [{}, { active: true }])
      await store.jobs({ before: null, limit: 9, spec: { feature: '001-a', repository }, ...filter })
  await store.remove([job.id])
  await store.forgetIdempotency(AT)
  vi.restoreAllMocks()

  const db = new DatabaseSync(join(directory, 'skein.db'))
  // A scan of a partial index sees only rows that the question is about, that of `process` is the question, and the others
  // read a list that was given.
  const isBounded = (detail: string) => /^SCAN (p$|wanted|json_each|\(subquery)|INDEX job_(to_\w+|ended)/.test(detail)
  const walks: string[] = []
  for (const sql of [...asked].filter(text => !text.startsWith('PRAGMA'))) {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
    const details = plan.map(({ detail }) => String(detail))
    // What is in flight is sorted: as many as the node runs at once.
    const sorts = details.some(detail => detail.includes('TEMP B-TREE')) && !sql.includes("IN ('placing'")
    if (sorts || details.some(detail => detail.startsWith('SCAN') && !isBounded(detail))) walks.push([sql, ...details].join('\n'))
  }
  db.close()
  expect(asked.size).toBeGreaterThan(30)
  expect(walks).toEqual([])
})

test('removing jobs gives their space back to the disk', async () => {
  await Promise.all(many(2000).map(({ job, ...rest }) => store.admit({ ...rest, job: { ...job, title: 'x'.repeat(2000) } })))
  const full = await store.size()
  await store.remove(many(2000).map(({ job }) => job.id))
  expect(await store.size()).toBeLessThan(full / 10)
})

test('numbers of events that were removed are not given again after a restart', async () => {
  const [job, other] = many(2)
  if (!job || !other) throw new Error('no jobs')
  await store.admit(job)
  await store.remove([job.job.id])
  await store.close()
  store = await sqliteStore({ file: join(directory, 'skein.db'), clock })
  expect(await store.lastSeq()).toBe(1)
  await store.admit(other)
  expect((await store.allEvents(0, 9)).map(({ seq }) => seq)).toEqual([2])
})
