import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ApiError, type Client } from '#shared/contract/index.ts'
import type { EventBody, JobEvent, JobState, SpecJob } from '#shared/model/index.ts'
import { createTaskJobs } from './task-jobs.ts'

const JOB = 'aaaaaa11111111'
const OTHER = 'bbbbbb11111111'
const at = '2026-01-01T00:00:00.000Z'

const moved = (jobId: string, to: JobState): JobEvent =>
  event(jobId, { type: 'job.state', from: 'queued', to, epoch: 1, failure: null })
const event = (jobId: string, body: EventBody): JobEvent => ({ seq: 1, jobId, n: 1, at, body })
const created = (jobId: string, feature: string | null): JobEvent =>
  event(jobId, {
    ...{ type: 'job.created', title: 't', agent: 'a', priority: 0, snapshot: null, retryOf: null },
    ...(feature === null ? {} : { spec: { feature, task: 'T001' } }),
  })

/** A node whose features have one task with a job each, or none. */
function open(jobs: Record<string, JobState>) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const asked: string[] = []
  const changed: string[] = []
  let movedTimes = 0
  let isThere = true
  const job = (state: JobState): SpecJob => ({
    ...{ jobId: JOB, state, node: null, checks: { green: 0, all: 0 } },
    ...{ commands: [], wording: 'same' },
  })
  const client = {
    async getSpec({ params: { feature } }: { params: { feature: string } }) {
      asked.push(feature)
      const state = jobs[feature]
      if (state === undefined) throw new ApiError('not_found', 'no')
      return { tasks: [{ id: 'T001', job: job(state) }] }
    },
    async getJob({ params: { id } }: { params: { id: string } }) {
      asked.push(id)
      return { spec: id === OTHER ? {} : { spec: { feature: '001-a', task: 'T001' } } }
    },
  } as unknown as Client
  const mirror = createTaskJobs({
    async client() {
      if (!isThere) throw new ApiError('not_ready', 'no')
      return client
    },
    changed: (root, feature) => void changed.push(`${root}/${feature}`),
    moved: () => void movedTimes++,
    failed(error) {
      throw error
    },
  })
  onTestFinished(() => mirror.close())
  const settle = async () => {
    for (let turn = 0; turn < 3; turn++) {
      await new Promise(resolve => setImmediate(resolve))
      vi.advanceTimersByTime(200)
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  return {
    ...{ mirror, asked, changed, settle, jobs },
    movedTimes: () => movedTimes,
    go: (there: boolean) => {
      isThere = there
    },
  }
}

describe('the jobs of tasks', () => {
  it('are known for what is wanted, and told when they are others', async () => {
    const { mirror, changed, settle, jobs } = open({ '001-a': 'running' })
    expect(mirror.of('/r', '001-a')).toBeNull()
    mirror.want('/r', '001-a')
    await settle()
    expect(mirror.of('/r', '001-a')?.get('T001')).toMatchObject({ state: 'running' })
    mirror.refresh()
    await settle()
    expect(changed).toEqual(['/r/001-a'])
    jobs['001-a'] = 'failed'
    mirror.event(moved(JOB, 'failed'))
    await settle()
    expect(mirror.of('/r', '001-a')?.get('T001')).toMatchObject({ state: 'failed' })
    mirror.drop('/r', '001-a')
    expect(mirror.of('/r', '001-a')).toBeNull()
  })

  it('are asked for once for many moves, and not for those of other jobs', async () => {
    const { mirror, asked, settle, movedTimes } = open({ '001-a': 'running' })
    mirror.want('/r', '001-a')
    await settle()
    asked.length = 0
    mirror.event(created(OTHER, null))
    mirror.event(moved(OTHER, 'running'))
    await settle()
    expect([asked, movedTimes()]).toEqual([[], 0])
    for (let n = 0; n < 20; n++) mirror.event(moved(JOB, 'running'))
    await settle()
    expect(asked.length).toBeLessThanOrEqual(2)
    expect(movedTimes()).toBe(20)
  })

  it('count a job that was there before, by what it says of itself', async () => {
    const { mirror, asked, settle, movedTimes } = open({ '001-a': 'running' })
    mirror.event(moved('cccccc11111111', 'running'))
    mirror.event(moved(OTHER, 'running'))
    await settle()
    mirror.event(moved('cccccc11111111', 'succeeded'))
    mirror.event(moved(OTHER, 'succeeded'))
    await settle()
    expect(asked).toEqual(['cccccc11111111', OTHER])
    expect(movedTimes()).toBe(2)
  })

  it('are unknown while there is no server or no such work tree there, and asked for again when there is one', async () => {
    const { mirror, changed, settle, go } = open({ '001-a': 'running' })
    go(false)
    mirror.want('/r', '001-a')
    mirror.want('/r', '002-b')
    await settle()
    expect(changed).toEqual([])
    go(true)
    mirror.refresh()
    await settle()
    expect(changed).toEqual(['/r/001-a'])
    expect(mirror.of('/r', '002-b')).toBeNull()
  })
})
