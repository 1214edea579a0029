import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { Store } from '#server/store/index.ts'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import type { EventBody, JobEvent, JobId } from '#shared/model/index.ts'
import { AT, moves, newJob } from '#test/contract/job.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createEvents } from './index.ts'

const warning = (detail: number | string): EventBody => ({ type: 'warning', code: 'test', detail: String(detail) })
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

async function openStore(): Promise<Store> {
  const directory = mkdtempSync(join(tmpdir(), 'skein-events-'))
  const store = await sqliteStore({ file: join(directory, 'skein.db'), clock: virtualClock() })
  onTestFinished(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return store
}

/** A job with as many events as said, the first of them `job.created`. */
async function jobWith(store: Store, id: string, count: number): Promise<JobId> {
  const { job } = newJob(id)
  await store.admit(newJob(id))
  await add(store, job.id, count - 1)
  return job.id
}

const add = (store: Store, id: JobId, count: number) => store.append(id, upTo(count).map(warning), AT)

async function end(store: Store, id: JobId): Promise<void> {
  const job = await store.job(id)
  if (!job) throw new Error('there is no such job')
  await store.change(moves(job, 'cancelled'))
}

const seal = (store: Store, id: JobId) =>
  store.sealLog({ jobId: id, bytes: 0, sha256: '', sealedAt: AT }, { type: 'log.sealed', bytes: 0, sha256: '' })

/** Reads until the topic ends, or until it has given `count` events. */
async function take(events: AsyncIterable<JobEvent>, count = Number.POSITIVE_INFINITY): Promise<number[]> {
  const seen: number[] = []
  for await (const event of events) if (seen.push(event.n) >= count) break
  return seen
}

const never = () => new AbortController().signal

test('gives what is stored, page by page, and then what comes', async () => {
  const store = await openStore()
  const id = await jobWith(store, 'a', 1200)
  const reading = take(createEvents({ store }).follow(id, 0, never()), 1210)
  await add(store, id, 10)
  expect(await reading).toEqual(upTo(1210))
})

test('neither repeats nor skips what arrives while the past is read', async () => {
  const store = await openStore()
  const id = await jobWith(store, 'a', 600)
  let pages = 0
  const busy: Store = {
    ...store,
    async events(...query) {
      // Before a page is read and after: the first is both read and heard, the second only heard.
      if (pages < 4) await add(store, id, 3)
      const page = await store.events(...query)
      if (pages++ < 4) await add(store, id, 2)
      if (page.length === 0) await add(store, id, 1)
      return page
    },
  }
  expect(await take(createEvents({ store: busy }).follow(id, 0, never()), 621)).toEqual(upTo(621))
})

test('a reader who falls behind what is kept for it gets the rest from the store', async () => {
  const store = await openStore()
  const id = await jobWith(store, 'a', 1)
  const reader = createEvents({ store }).follow(id, 0, never())[Symbol.asyncIterator]()
  expect((await reader.next()).value?.n).toBe(1)
  const live = reader.next()
  await turn()
  await add(store, id, 1)
  expect((await live).value?.n).toBe(2)
  for (const _ of upTo(30)) await add(store, id, 100)
  const { statements } = store.counts()
  const seen: unknown[] = []
  for (const _ of upTo(3000)) seen.push((await reader.next()).value?.n)
  expect(seen).toEqual(upTo(3002).slice(2))
  expect(store.counts().statements).toBeGreaterThan(statements)
  await reader.return?.()
})

test('ends once the job has ended and its log is sealed, in whatever moment that falls', async () => {
  for (const moment of ['before', 'before the page', 'after the page', 'live'] as const) {
    const store = await openStore()
    const id = await jobWith(store, 'a', 2)
    const finish = async () => {
      await end(store, id)
      await seal(store, id)
    }
    let first = true
    const watched: Store = {
      ...store,
      async events(...query) {
        const now = first
        first = false
        if (now && moment === 'before the page') await finish()
        const page = await store.events(...query)
        if (now && moment === 'after the page') await finish()
        return page
      },
    }
    if (moment === 'before') await finish()
    const reading = take(createEvents({ store: watched }).follow(id, 0, never()))
    if (moment === 'live') {
      await turn()
      await finish()
    }
    expect(await reading, moment).toEqual(upTo(4))
  }
})

test('ends at once for a job that is not there', async () => {
  const store = await openStore()
  expect(await take(createEvents({ store }).follow(newJob('none').job.id, 0, never()))).toEqual([])
})

test('ends when its reader goes, and listens no more', async () => {
  const store = await openStore()
  const id = await jobWith(store, 'a', 3)
  let listeners = 0
  const counted: Store = {
    ...store,
    onEvents(listener) {
      const leave = store.onEvents(listener)
      listeners += 1
      return () => {
        listeners -= 1
        leave()
      }
    },
  }
  const events = createEvents({ store: counted })
  const gone = new AbortController()
  const reading = take(events.followAll(0, gone.signal))
  await turn()
  expect(listeners).toBe(1)
  gone.abort()
  await reading
  expect(await take(events.follow(id, 0, never()), 1)).toEqual([1])
  expect(await take(events.follow(id, 0, gone.signal))).toEqual([])
  expect(listeners).toBe(0)
})

test('the topic of all gives every job in the order of the node, and goes on past a sealed log', async () => {
  const store = await openStore()
  const gone = new AbortController()
  const seen: string[] = []
  const reading = (async () => {
    for await (const { jobId, seq, body } of createEvents({ store }).followAll(0, gone.signal))
      if (seen.push(`${seq} ${jobId.slice(-1)} ${body.type}`) === 5) gone.abort()
  })()
  const a = await jobWith(store, 'a', 2)
  await end(store, a)
  await seal(store, a)
  await store.admit(newJob('b'))
  await reading
  expect(seen).toEqual(['1 a job.created', '2 a warning', '3 a job.state', '4 a log.sealed', '5 b job.created'])
})

test('from any cursor, with events of others between, a reader gets exactly what follows', async () => {
  const store = await openStore()
  let job = 0
  await fc.assert(
    fc.asyncProperty(
      fc.nat(12),
      fc.array(fc.record({ mine: fc.nat(4), others: fc.nat(3), pause: fc.boolean() }), { maxLength: 8 }),
      async (cursor, bursts) => {
        const id = await jobWith(store, `p${++job}`, 12)
        const other = await jobWith(store, `q${job}`, 1)
        const reading = take(createEvents({ store }).follow(id, cursor, never()))
        let last = 12
        for (const { mine, others, pause } of bursts) {
          last += mine
          const writes = [add(store, id, mine), add(store, other, others)]
          if (pause) await Promise.all(writes)
        }
        await end(store, id)
        await seal(store, id)
        expect(await reading).toEqual(upTo(last + 2).slice(cursor))
      },
    ),
    { numRuns: 60 },
  )
})
