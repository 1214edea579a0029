import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Store } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { isEnd, JobSpec, type JobState } from '#shared/model/index.ts'
import { virtualClock } from '../fakes/clock.ts'
import { composeJobs } from './parts.ts'

const AGAIN_MS = 5_000

/** A node whose disk is full for some writes: each that fits fails until the disk has room, and is told of. */
async function nodeWithFullDisk(fails: (method: string, args: readonly unknown[]) => boolean) {
  const root = mkdtempSync(join(tmpdir(), 'skein-full-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const clock = virtualClock()
  let isFull = true
  let failed = Promise.withResolvers<void>()
  const wrap = <T extends object>(port: T, name: string): T =>
    name !== 'store'
      ? port
      : new Proxy(port, {
          get(target, method) {
            const value: unknown = Reflect.get(target, method, target)
            if (typeof value !== 'function') return value
            return (...args: unknown[]) => {
              if (!isFull || !fails(String(method), args)) return Reflect.apply(value, target, args)
              failed.resolve()
              return Promise.reject(new ApiError('out_of_space', 'The disk is full.'))
            }
          },
        })
  const node = await composeJobs({ dataDir: join(root, 'data'), clock, wrap })
  onTestFinished(node.close)
  await node.jobs.start()
  const { store } = node
  return {
    clock,
    store,
    /** Fulfils at the next write that fails. */
    async fails() {
      await failed.promise
      failed = Promise.withResolvers()
      // The failure reaches whoever asked before this goes on.
      await new Promise(resolve => setImmediate(resolve))
    },
    /** Waits for what happens while time passes; the failure may still be on its way to who tries again. */
    async afterWaiting(happens: Promise<void>) {
      let isWaiting = true
      const end = happens.finally(() => {
        isWaiting = false
      })
      while (isWaiting) {
        await new Promise(resolve => setImmediate(resolve))
        clock.advance(AGAIN_MS)
      }
      await end
    },
    makeRoom() {
      isFull = false
    },
    async cancel(id: string): Promise<unknown> {
      const call = { signal: new AbortController().signal }
      return (await node.jobs.handlers.cancelJob({ params: { id } } as never, call as never)).body
    },
    async submit(): Promise<string> {
      const body = JobSpec.parse({ task: 'do', agent: 'command', argv: ['true'], sandbox: 'none' })
      const answer = await node.jobs.handlers.createJob(
        { body, headers: {} } as never,
        { signal: new AbortController().signal } as never,
      )
      return (answer as { body: { jobId: string } }).body.jobId
    },
  }
}

/** The state a job ends in, told by its events. */
function ended(store: Store, id: string): Promise<JobState> {
  return new Promise(resolve => {
    const off = store.onEvents(events => {
      for (const { jobId, body } of events) {
        if (jobId !== id || body.type !== 'job.state' || !isEnd(body.to)) continue
        off()
        resolve(body.to)
      }
    })
  })
}

/** Fulfils when the log of a job is final. */
function sealed(store: Store, id: string): Promise<void> {
  return new Promise(resolve => {
    const off = store.onEvents(events => {
      if (!events.some(({ jobId, body }) => jobId === id && body.type === 'log.sealed')) return
      off()
      resolve()
    })
  })
}

it('an end that could not be written is written when there is room again', async () => {
  const isEnding = (method: string, [change]: readonly unknown[]) =>
    method === 'change' && isEnd((change as { patch: { state?: JobState } }).patch.state ?? 'queued')
  const node = await nodeWithFullDisk(isEnding)
  const id = await node.submit()
  const end = ended(node.store, id)
  await node.fails()
  node.clock.advance(AGAIN_MS)
  await node.fails()
  node.makeRoom()
  node.clock.advance(AGAIN_MS)
  expect(await end).toBe('succeeded')
})

it('a claim that could not be written is tried again without a new job', async () => {
  const node = await nodeWithFullDisk(method => method === 'claim')
  const id = await node.submit()
  const end = ended(node.store, id)
  await node.fails()
  node.makeRoom()
  node.clock.advance(AGAIN_MS)
  expect(await end).toBe('succeeded')
})

it('a log that could not be sealed is when there is room again, so that whoever follows it is not left waiting', async () => {
  const node = await nodeWithFullDisk(method => method === 'sealLog')
  const id = await node.submit()
  const final = sealed(node.store, id)
  await node.fails()
  node.makeRoom()
  await node.afterWaiting(final)
})

it('a cancel is answered though the log cannot be sealed yet', async () => {
  const node = await nodeWithFullDisk(method => method === 'claim' || method === 'sealLog')
  const id = await node.submit()
  const final = sealed(node.store, id)
  await node.fails()
  expect(await node.cancel(id)).toEqual({ jobId: id, status: 'cancelled' })
  node.makeRoom()
  await node.afterWaiting(final)
})
