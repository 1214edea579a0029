import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SpecTask } from '#shared/model/index.ts'
import { phasesOf, stateOf, tally } from './waves.ts'

const task = (id: string, more: Partial<SpecTask> = {}): SpecTask => ({
  id,
  title: `Do ${id}`,
  isDone: false,
  isParallel: false,
  story: null,
  phase: null,
  after: [],
  paths: [],
  path: 'specs/001-a/tasks.md',
  line: 0,
  job: null,
  ...more,
})
const shape = (tasks: readonly SpecTask[]) => phasesOf(tasks).map(({ waves }) => waves.map(wave => wave.map(({ id }) => id)))

it('puts side by side what may be done at the same time', () => {
  const parallel = { isParallel: true }
  expect(
    shape([
      task('T001'),
      task('T002', parallel),
      task('T003', parallel),
      task('T004', { ...parallel, after: ['T003'] }),
      task('T005', parallel),
      task('T006'),
      task('T007', { ...parallel, phase: 'Phase 2' }),
    ]),
  ).toEqual([[['T001'], ['T002', 'T003'], ['T004', 'T005'], ['T006']], [['T007']]])
})

it('leaves no task out, and none before one that it waits for', () => {
  const tasks = fc.array(fc.record({ isParallel: fc.boolean(), phase: fc.constantFrom(null, 'a', 'b'), waitsFor: fc.nat(20) }))
  fc.assert(
    fc.property(tasks, some => {
      const all = some.map(({ waitsFor, ...more }, i) => task(`T${i}`, { ...more, after: waitsFor < i ? [`T${waitsFor}`] : [] }))
      const waves = phasesOf(all).flatMap(phase => phase.waves)
      expect(waves.flat()).toEqual(all)
      for (const [at, wave] of waves.entries())
        for (const { after } of wave)
          for (const id of after) expect(waves.findIndex(w => w.some(t => t.id === id))).toBeLessThan(at)
    }),
  )
})

it('believes the box, then the job', () => {
  const job = (state: 'running' | 'failed') => ({
    jobId: 'j',
    state,
    node: null,
    checks: { green: 0, all: 0 },
    commands: [],
    wording: 'same' as const,
  })
  const tasks = [task('a', { isDone: true, job: job('failed') }), task('b', { job: job('running') }), task('c'), task('d')]
  expect(tasks.map(stateOf)).toEqual(['done', 'running', 'to do', 'to do'])
  expect(tally(tasks)).toEqual([
    ['done', 1],
    ['running', 1],
    ['to do', 2],
  ])
})
