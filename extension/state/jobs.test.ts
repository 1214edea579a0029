import { expect, it } from 'vitest'
import type { EventBody, JobEvent, JobState, JobSummary } from '#shared/model/index.ts'
import { at, idOf, manualClock, sourceOf, summary } from '#test/fakes/editor-jobs.ts'
import { createChanges, REDRAW_MS } from './changes.ts'
import { NO_SPEC } from './job-specs.ts'
import { createJobs, PAGE } from './jobs.ts'

const event = (number: number, body: EventBody): JobEvent => ({ seq: 1, n: 1, jobId: idOf(number), at: at(number + 1000), body })
const moved = (number: number, from: JobState, to: JobState) =>
  event(number, { type: 'job.state', from, to, epoch: 1, failure: null })

function mirror(all: readonly JobSummary[]) {
  const clock = manualClock()
  const changes = createChanges(clock)
  const told: (readonly string[] | null)[] = []
  changes.listen(ids => told.push(ids && [...ids]))
  const source = sourceOf(all)
  return { jobs: createJobs(source, changes), clock, told, source }
}

it('reads a page of each state, and the next one when it is asked for', async () => {
  const { jobs } = mirror(Array.from({ length: 500 }, (_, number) => summary(number, 'succeeded')))
  await jobs.reset()
  expect(jobs.inGroup('succeeded')).toHaveLength(PAGE)
  expect(jobs.inGroup('succeeded')[0]?.summary.id).toBe(idOf(499))
  expect(jobs.hasMore('succeeded')).toBe(true)
  await jobs.readMore('succeeded')
  await jobs.readMore('succeeded')
  expect(jobs.inGroup('succeeded')).toHaveLength(500)
  expect(jobs.hasMore('succeeded')).toBe(false)
})

it('tells what took the place of what, and keeps both orders', async () => {
  const { jobs } = mirror([summary(2, 'running'), summary(3, 'succeeded', { spec: { feature: '001-login', task: 'T001' } })])
  await jobs.reset()
  const heard: string[] = []
  jobs.onPut(({ before, entry }) => heard.push(`${before?.summary.state} ${entry.summary.state}`))
  jobs.take(moved(2, 'running', 'succeeded'))
  expect(heard).toEqual(['running succeeded'])
  expect(jobs.inGroup('succeeded').map(entry => entry.summary.id)).toEqual([idOf(3), idOf(2)])
  expect(jobs.inGroup('active')).toEqual([])
  expect(new Set(jobs.specs())).toEqual(new Set(['spec/001-login//src/app/', NO_SPEC]))
  expect(jobs.ofSpec(NO_SPEC).map(entry => entry.summary.state)).toEqual(['succeeded'])
})

it('tells of what changed ten times a second at most, and of each row once', async () => {
  const { jobs, clock, told } = mirror([summary(1, 'running')])
  await jobs.reset()
  clock.advance(REDRAW_MS)
  told.length = 0
  for (let step = 0; step < 1000; step += 1) {
    jobs.take(
      event(1, {
        type: 'agent.plan',
        epoch: 1,
        entries: Array(step).fill({ content: '', status: 'completed', priority: 'low' }),
      }),
    )
    clock.advance(1)
  }
  expect(told.length).toBeLessThanOrEqual(10)
  expect(told.every(ids => ids?.length === 1)).toBe(true)
})

it('asks for a job that it does not know when its state changes, once', async () => {
  const all = [summary(1, 'running')]
  const { jobs, source } = mirror(all)
  jobs.take(moved(1, 'preparing', 'running'))
  jobs.take(moved(1, 'preparing', 'running'))
  await expect.poll(() => jobs.get(idOf(1))?.summary.state).toBe('running')
  expect(source.asked).toEqual([idOf(1)])
})

it('drops what a spec was asked for before everything was read anew, and asks once at a time', async () => {
  const spec = { feature: '001-login', task: 'T001' }
  const { jobs, source } = mirror(Array.from({ length: 500 }, (_, number) => summary(number, 'succeeded', { spec })))
  const key = 'spec/001-login//src/app/'
  await jobs.reset()
  const late = jobs.readMoreOf(key)
  const reset = jobs.reset()
  await Promise.all([late, reset])
  expect(jobs.pagesOf(key)).toBe(0)
  await Promise.all([jobs.readMoreOf(key), jobs.readMoreOf(key)])
  expect(jobs.pagesOf(key)).toBe(1)
  source.asked.length = 0
  await jobs.readMoreOf(NO_SPEC)
  await jobs.readMoreOf('spec/001-login//')
  expect(source.asked).toEqual([])
})

it('does not go back to a page of a spec whose answer comes after that of the next', async () => {
  const spec = { feature: '001-login', task: 'T001' }
  const source = sourceOf(Array.from({ length: 500 }, (_, number) => summary(number, 'succeeded', { spec })))
  let answer = () => {}
  const late = new Promise<void>(resolve => {
    answer = resolve
  })
  let asked = 0
  const jobs = createJobs(
    {
      ...source,
      async list(query) {
        const isLate = 'spec' in query && ++asked === 1
        if (isLate) await late
        return source.list(query)
      },
    },
    createChanges(manualClock()),
  )
  await jobs.reset()
  const key = 'spec/001-login//src/app/'
  const first = jobs.readMoreOf(key)
  await jobs.readMoreOf(key)
  await jobs.readMoreOf(key)
  answer()
  await first
  expect(jobs.pagesOf(key)).toBe(2)
})

it('drops what it had asked before everything was read anew', async () => {
  const { jobs } = mirror([summary(1, 'running')])
  const first = jobs.reset()
  const second = jobs.reset()
  await Promise.all([first, second])
  expect(jobs.inGroup('active')).toHaveLength(1)
})

it('tells of an end that it watched, and of a question with the job it belongs to', async () => {
  const { jobs } = mirror([summary(1, 'running'), summary(2, 'failed')])
  await jobs.reset()
  const heard: string[] = []
  jobs.onEnded(({ summary: { id, state } }) => heard.push(`${id} ${state}`))
  jobs.onQuestion(({ question }) => heard.push(question?.title ?? ''))
  jobs.take(event(1, { type: 'permission.requested', epoch: 1, requestId: 'r', title: 'rm -rf', detail: '', options: [] }))
  jobs.take(moved(2, 'running', 'failed'))
  jobs.take(moved(1, 'running', 'succeeded'))
  expect(heard).toEqual(['rm -rf', `${idOf(1)} succeeded`])
  expect(jobs.get(idOf(1))?.question).toBeNull()
})
