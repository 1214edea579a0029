import { expect, it } from 'vitest'
import { featureOf, specTask } from '#test/fakes/editor-specs.ts'
import { taskPrompt } from './spec-prompt.ts'

it('tells an agent the one task, what it serves, and where the rest stands', () => {
  const task = specTask('T004', { title: 'Test POST /links', story: 'US1', after: ['T001'], paths: ['tests/links.ts'] })
  const place = { path: 'specs/001-login/spec.md', line: 1 }
  const feature = featureOf([task], {
    stories: [{ id: 'US1', title: 'Ask for a link', priority: 'P1', ...place }],
    requirements: [{ id: 'FR-001', text: 'People ask for a link', tasks: ['T004'], ...place }],
  })
  const prompt = taskPrompt(feature, task)
  expect(prompt.split('\n')[0]).toBe('T004 Test POST /links')
  for (const part of ['001-login', 'US1 Ask for a link', 'tests/links.ts', 'It follows: T001', 'It covers FR-001: People ask'])
    expect(prompt).toContain(part)
  expect(prompt).toContain('specs/001-login/tasks.md')
})

it('stays within what a job takes, whatever a document says', () => {
  const text = 'x'.repeat(1_000_000)
  const requirements = Array.from({ length: 500 }, (_, at) => ({ id: `FR-${at}`, text, tasks: ['T001'], path: 'a', line: 0 }))
  const documents = Array.from({ length: 1000 }, () => ({ path: 'p'.repeat(400), kind: 'other' as const, sha256: '' }))
  const task = specTask('T001', { title: text, paths: [text] })
  expect(taskPrompt(featureOf([task], { requirements, documents }), task).length).toBeLessThan(200_000)
})
