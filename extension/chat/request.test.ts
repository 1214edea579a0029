import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TOOLS } from '../manifest/tools.ts'
import { findFeature, specArgument, statusArgument } from './arguments.ts'
import { followupsOf } from './followups.ts'
import { wrongWith } from './input.ts'
import { pathInside, taskOf } from './task.ts'

it('takes files of a request into the task by their paths in the repository, each once', () => {
  const file = (path: string, lines: [number, number] | null = null) => ({ kind: 'file', path, lines }) as const
  const { text, outside } = taskOf(
    ' mend it ',
    [file('/r/src/a.ts'), file('/r/src/a.ts'), file('/r/b.ts', [2, 4]), file('/etc/passwd')],
    '/r',
  )
  expect(text).toBe('mend it\n\nFiles that this is about:\n- src/a.ts\n- b.ts (lines 3 to 5)')
  expect(outside).toEqual(['/etc/passwd'])
})

it('takes texts along as what they are, cut to a length', () => {
  const { text } = taskOf(
    'mend it',
    [{ kind: 'text', name: 'terminal\nx', text: `${'a\n'.repeat(3)}${'b'.repeat(30_000)}` }],
    '/r',
  )
  expect(text).toContain('Given along with it:\n\nterminal x:\n    a\n    a\n    a\n    bbb')
  expect(text.length).toBeLessThan(20_200)
})

it('takes no path for inside that leads out of the folder', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('..', '.', 'a', '..b', '')), parts => {
      const path = `/r/${parts.join('/')}`
      const inside = pathInside('/r', path)
      if (inside === null) return
      expect(inside).not.toMatch(/^\.\.(\/|$)|^\//)
      expect(inside).not.toBe('')
    }),
  )
  expect(pathInside('/r', '/r/..b')).toBe('..b')
  expect(pathInside('/r', '/rest/a')).toBeNull()
})

it('reads what stands after a command', () => {
  expect(statusArgument(' a1b2c3d4e5f6g7 ')).toEqual({ jobId: 'a1b2c3d4e5f6g7' })
  expect(statusArgument('Failing  TEST')).toEqual({ words: ['failing', 'test'] })
  expect(specArgument('t012 001-login')).toEqual({ feature: '001-login', task: 'T012' })
  expect(specArgument('user login')).toEqual({ feature: 'user login', task: null })
  expect(specArgument(' ')).toEqual({ feature: null, task: null })
})

it('finds the one feature that is meant, and none where it could be two', () => {
  const features = ['001-login', '002-log', '003-shop'].map(feature => ({ feature, title: `Title of ${feature}` }))
  expect(findFeature(features, '002-LOG')?.feature).toBe('002-log')
  expect(findFeature(features, '003')?.feature).toBe('003-shop')
  expect(findFeature(features, 'of 001')?.feature).toBe('001-login')
  expect(findFeature(features, 'log')).toBeNull()
  expect(findFeature(features, null)).toBeNull()
  expect(findFeature(features.slice(0, 1), null)?.feature).toBe('001-login')
})

it('refuses inputs of a model that do not fit', () => {
  const { skein_run_job, skein_job_status, skein_spec } = TOOLS
  expect(wrongWith(skein_run_job.inputSchema, { task: 'x' })).toBeNull()
  expect(wrongWith(skein_run_job.inputSchema, {})).toBe('task is missing.')
  expect(wrongWith(skein_run_job.inputSchema, { task: ' ' })).toBe('task must not be empty.')
  expect(wrongWith(skein_run_job.inputSchema, { task: 'x'.repeat(20_001) })).toContain('20000')
  expect(wrongWith(skein_run_job.inputSchema, { task: 'x', argv: ['rm'] })).toBe('There is no input "argv".')
  expect(wrongWith(skein_job_status.inputSchema, { jobId: '../../v1/drain' })).toContain('jobId must look like')
  expect(wrongWith(skein_job_status.inputSchema, { waitSeconds: 1e9 })).toContain('from 0 to 300')
  expect(wrongWith(skein_spec.inputSchema, { feature: '../x' })).toContain('feature must look like')
  for (const input of [null, [], 'x', 1]) expect(wrongWith(skein_spec.inputSchema, input)).toContain('object')
})

it('says what is wrong with any input, and fails with none', () => {
  const schemas = Object.values(TOOLS).map(({ inputSchema }) => inputSchema)
  const value = fc.oneof(
    fc.anything(),
    fc.dictionary(fc.constantFrom('task', 'folder', 'jobId', 'waitSeconds', '__proto__'), fc.anything()),
  )
  fc.assert(
    fc.property(fc.constantFrom(...schemas), value, (schema, input) => {
      const wrong = wrongWith(schema, input)
      if (wrong === null) for (const key of Object.keys(input as object)) expect(Object.keys(schema.properties)).toContain(key)
    }),
  )
})

it('offers what follows from an answer', () => {
  const t = (message: string) => message
  expect(followupsOf({ about: 'job', outcome: 'failed', prompt: 'mend it' }, t)[0]).toEqual({
    prompt: 'mend it',
    label: 'Try again',
  })
  expect(followupsOf({ about: 'feature', feature: 'f', open: ['T1', 'T2', 'T3', 'T4'] }, t)).toHaveLength(3)
  expect(followupsOf(undefined, t)).toEqual([])
})
