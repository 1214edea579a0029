import { expect, test } from 'vitest'
import type { SpecFeature, SpecJob, SpecTask } from '#shared/model/index.ts'
import { renderAccepted, renderFeature, renderFeatures, renderProblems } from './specs.ts'

const mark = { paint: (style: string, text: string) => `<${style}>${text}</${style}>` }
const task: SpecTask = {
  ...{ id: 'T001', title: 'Create the project', isDone: true, isParallel: false, story: null, phase: 'Phase 1: Setup' },
  ...{ after: [], paths: [], path: 'specs/001-login/tasks.md', line: 4, job: null },
}
const job: SpecJob = {
  ...{ jobId: 'j'.repeat(14), state: 'succeeded', node: 'desk', checks: { green: 1, all: 2 } },
  ...{ commands: [], wording: 'same' },
}
const feature: SpecFeature = {
  ...{ feature: '001-login', title: 'Sign in', documents: [], stories: [], requirements: [], criteria: [], checks: [] },
  coverage: { tasks: 3, done: 1, requirements: 2, covered: 1, clarifications: 0, problems: 2 },
  tasks: [task, { ...task, id: 'T002', isDone: false, job }, { ...task, id: 'T003', isDone: false, phase: null }],
  problems: [
    { code: 'path-outside', severity: 'error', message: '../x is outside', path: 'specs/001-login/tasks.md', line: 4 },
    { code: 'needs-clarification', severity: 'warning', message: 'A question', path: 'specs/001-login/spec.md', line: 0 },
    { code: 'done-without-job', severity: 'hint', message: 'No job', path: 'specs/001-login/tasks.md', line: 4 },
  ],
}

test('a list has a line for each feature', () => {
  expect(renderFeatures([feature], { columns: 80, paint: (_, text) => text })).toEqual([
    'FEATURE    TASKS  COVERED  OPEN  PROBLEMS  TITLE',
    '001-login    1/3      1/2     0         2  Sign in',
  ])
})

test('a feature has its tasks under their phases, with their jobs, and what is wrong but for hints', () => {
  expect(renderFeature(feature, mark)).toEqual([
    'Sign in',
    '<dim>1/3 tasks done · 1/2 requirements with a task</dim>',
    '',
    'Phase 1: Setup',
    '<green>☑</green> T001 Create the project',
    `☐ T002 Create the project<dim> succeeded on desk, 1/2 checks green (${job.jobId})</dim>`,
    '',
    '☐ T003 Create the project',
    '',
    'specs/001-login/tasks.md:5 <red>error</red> ../x is outside',
    'specs/001-login/spec.md:1 <yellow>warning</yellow> A question',
  ])
})

test('what documents say cannot act on the terminal', () => {
  const hostile = '\u001B]0;owned\u0007\u001B[2Jx\ry'
  const lines = [
    ...renderFeature({ ...feature, title: hostile, tasks: [{ ...task, title: hostile, phase: hostile }] }, mark),
    ...renderFeatures([{ ...feature, feature: hostile, title: hostile }], { columns: 80, paint: (_, text) => text }),
    ...renderProblems([{ code: 'unknown-id', severity: 'info', message: hostile, path: hostile, line: 0 }], mark),
  ]
  for (const line of lines) expect(line).not.toMatch(/[\u001B\u0007\r]/)
})

test('what became of a change is said in words', () => {
  expect(renderAccepted({ status: 'offered', offer: 1 })).toContain('editor')
  expect(renderAccepted({ status: 'written', branch: 'skein/specs/x-1', commit: 'c' })).toContain('git merge skein/specs/x-1')
  expect(renderAccepted({ status: 'unchanged' })).toBe('It is so already.')
})
