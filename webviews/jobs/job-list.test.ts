import { describe, expect, it } from 'vitest'
import type { EventBody, JobEvent, JobSummary } from '#shared/model/index.ts'
import { EMPTY, matching, unknownIn, withEvent, withJob, withPage } from './job-list.ts'

const at = '2026-01-01T00:00:00.000Z'
const job = (id: string, more: Partial<JobSummary> = {}): JobSummary => ({
  id,
  state: 'queued',
  epoch: 0,
  title: `Job ${id}`,
  createdAt: at,
  updatedAt: at,
  startedAt: null,
  endedAt: null,
  failure: null,
  agent: 'command',
  priority: 0,
  repository: '/src/App',
  spec: null,
  ...more,
})
const event = (jobId: string, body: EventBody): JobEvent => ({ seq: 1, n: 1, jobId, at: '2026-01-01T00:01:00.000Z', body })
const move = (jobId: string, to: JobSummary['state']) =>
  event(jobId, { type: 'job.state', from: 'queued', to, epoch: 1, failure: null })
const ids = (list: { items: readonly JobSummary[] }) => list.items.map(({ id }) => id)

describe('pages', () => {
  it('are put together newest first, each job once', () => {
    const first = withPage(EMPTY, { items: [job('c'), job('b')], nextCursor: '1' }, false)
    const both = withPage(first, { items: [job('b'), job('a')], nextCursor: null }, true)
    expect(ids(both)).toEqual(['c', 'b', 'a'])
    expect(both.nextCursor).toBeNull()
  })
  it('read anew from the first keep what was read after it', () => {
    const two = withPage(
      withPage(EMPTY, { items: [job('b')], nextCursor: '1' }, false),
      { items: [job('a')], nextCursor: '2' },
      true,
    )
    const again = withPage(two, { items: [job('c'), job('b', { state: 'failed' })], nextCursor: '1' }, false)
    expect(ids(again)).toEqual(['c', 'b', 'a'])
    expect(again.items[1]?.state).toBe('failed')
    expect(again.nextCursor).toBe('2')
  })
  it('all newer than what is there replace it, so that no job between is passed over', () => {
    const before = { items: [job('b'), job('a')], nextCursor: null }
    const page = { items: [job('z'), job('y')], nextCursor: '2' }
    expect(withPage(before, page, false)).toEqual(page)
    expect(ids(withPage(before, { ...page, nextCursor: null }, false))).toEqual(['z', 'y', 'b', 'a'])
  })
  it('take in a single job at its place', () => {
    const list = { items: [job('c'), job('a')], nextCursor: '1' }
    expect(ids(withJob(list, job('b')))).toEqual(['c', 'b', 'a'])
    expect(withJob(list, job('b')).nextCursor).toBe('1')
  })
})

describe('events', () => {
  const list = { items: [job('b'), job('a')], nextCursor: null }
  it('move a job, and tell when it began and ended', () => {
    const running = withEvent(list, move('a', 'running'))
    expect(running.items[1]).toMatchObject({ state: 'running', epoch: 1, startedAt: '2026-01-01T00:01:00.000Z', endedAt: null })
    expect(withEvent(running, move('a', 'failed')).items[1]).toMatchObject({ endedAt: '2026-01-01T00:01:00.000Z' })
    expect(running.items[0]).toBe(list.items[0])
  })
  it('of jobs that are not there name them once, when they fit the filter', () => {
    const events = [move('x', 'running'), move('x', 'checking'), move('a', 'running'), move('y', 'failed')]
    expect(unknownIn(list, events, 'all')).toEqual(['x', 'y'])
    expect(unknownIn(list, events, 'active')).toEqual(['x'])
    expect(unknownIn(list, events, 'failed')).toEqual(['y'])
    expect(unknownIn(list, events, 'running')).toEqual([])
  })
  it('that are older than the list change nothing', () => {
    const newer = { ...list, items: [job('a', { state: 'succeeded', updatedAt: '2026-01-01T00:02:00.000Z' })] }
    expect(withEvent(newer, move('a', 'running'))).toBe(newer)
  })
  it('that change nothing in a list leave it as it is', () => {
    expect(withEvent(list, event('a', { type: 'warning', code: 'c', detail: '' }))).toBe(list)
  })
})

it('finds jobs by state and by words in any field', () => {
  const items = [job('b', { state: 'running', title: 'Mend the test' }), job('a', { state: 'failed' })]
  expect(matching(items, 'active', '')).toHaveLength(1)
  expect(matching(items, 'failed', '').map(({ id }) => id)).toEqual(['a'])
  expect(matching(items, 'all', 'APP mend')).toHaveLength(1)
  expect(matching(items, 'all', 'app nothing')).toHaveLength(0)
})
