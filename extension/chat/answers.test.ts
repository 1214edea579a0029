import { expect, it } from 'vitest'
import type { Peer, SpecFeature, SpecTask } from '#shared/model/index.ts'
import { summary } from '#test/fakes/editor-jobs.ts'
import { featureAnswer, featuresAnswer, fitsWords, jobsAnswer, MOST_ROWS, peersAnswer, taskAnswer } from './answers.ts'
import { featureFacts } from './tool-answers.ts'

const t = (message: string, ...values: readonly (string | number)[]) =>
  message.replaceAll(/\{(\d)\}/g, (_, at: string) => String(values[Number(at)]))
const EVIL = '[x](command:y) | `z`\n# <b>'
const task = (id: string, isDone: boolean): SpecTask => ({
  id,
  title: EVIL,
  isDone,
  isParallel: false,
  story: EVIL,
  phase: EVIL,
  after: ['T001'],
  paths: [EVIL],
  path: 'specs/001/tasks.md',
  line: 3,
  job: null,
})
const feature: SpecFeature = {
  feature: EVIL,
  title: EVIL,
  documents: [],
  coverage: { tasks: 200, done: 1, requirements: 2, covered: 1, clarifications: 0, problems: 1 },
  stories: [],
  requirements: [],
  criteria: [],
  tasks: Array.from({ length: 200 }, (_, at) => task(`T${100 + at}`, at === 0)),
  checks: [],
  problems: [{ code: 'unknown-id', severity: 'error', message: EVIL, path: 'specs/001/tasks.md', line: 3 }],
}
const peer = { id: 'p', name: EVIL, state: 'online', runsOurs: true, problem: EVIL, card: null } as Peer
/** Marks that would be obeyed; those of the answers themselves are lines of tables and lists, and bold. */
const OBEYED = /(?<!\\)[[\]()`#<>]/

it('obeys nothing of what titles, specs and nodes say', () => {
  const jobs = [{ ...summary(1, 'running'), title: EVIL, agent: EVIL }]
  for (const text of [
    jobsAnswer(jobs, [], 0, t),
    featuresAnswer([feature], t),
    featureAnswer(feature, t),
    taskAnswer(task('T001', false), t),
    peersAnswer({ node: EVIL, drain: null }, [peer], t),
  ])
    expect(text).not.toMatch(OBEYED)
})

it('shows a part of a long list, and how much more there is', () => {
  const jobs = Array.from({ length: 50 }, (_, number) => summary(number, 'queued'))
  expect(jobsAnswer(jobs, [], 0, t).split('\n')).toHaveLength(MOST_ROWS + 2)
  expect(jobsAnswer(jobs, [], 0, t)).toContain('and 30 more')
  expect(featureAnswer(feature, t)).not.toContain('T100 ')
})

it('finds jobs by all the words', () => {
  const job = { ...summary(1, 'running'), title: 'Mend the test' }
  expect(fitsWords(job, ['test', 'mend'])).toBe(true)
  expect(fitsWords(job, ['test', 'other'])).toBe(false)
})

it('gives a model what is open before what is done, and not more than it can read', () => {
  const { tasks, taskCount } = featureFacts(feature) as { tasks: { id: string; isDone: boolean }[]; taskCount: number }
  expect(tasks).toHaveLength(100)
  expect(tasks.some(({ isDone }) => isDone)).toBe(false)
  expect(taskCount).toBe(200)
})
