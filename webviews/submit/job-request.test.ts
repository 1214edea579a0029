import fc from 'fast-check'
import { expect, it } from 'vitest'
import { JobSpec } from '#shared/model/index.ts'
import { draftOf, missingIn, NEW_DRAFT, requestOf } from './job-request.ts'

const text = fc.constantFrom('', ' ', 'make it pass', 'npm test\n\n npm run lint ')
const drafts = fc.record({
  task: text,
  repository: fc.constantFrom('', ' ', '/src/app'),
  includesChanges: fc.boolean(),
  agent: fc.constantFrom('auto', 'command', 'opencode'),
  command: text,
  checks: text,
  permissions: fc.constantFrom('ask' as const, 'allow' as const, 'deny' as const),
  where: fc.constantFrom('anywhere', 'here', 'n1'),
})

it('makes of every complete draft what the API takes, and asks for what the API would refuse', () => {
  fc.assert(
    fc.property(drafts, draft => {
      const missing = missingIn(draft)
      // The API takes a shell that is given nothing to do; a person who submits that forgot something.
      if (missing && 'command' in missing) return
      expect(JobSpec.safeParse(requestOf(draft)).success).toBe(missing === null)
    }),
  )
})

it('runs checks and commands by a shell, one a line', () => {
  const request = requestOf({
    ...NEW_DRAFT,
    agent: 'command',
    command: 'make',
    checks: 'a\n\n b ',
    repository: '/r',
    where: 'here',
  })
  expect(request).toMatchObject({
    argv: ['sh', '-c', 'make'],
    checks: [
      ['sh', '-c', 'a'],
      ['sh', '-c', 'b'],
    ],
    where: { local: true },
  })
})

it('makes a draft of whatever was kept', () => {
  expect(draftOf(null)).toEqual(NEW_DRAFT)
  expect(draftOf({ task: 'x', includesChanges: 'yes' })).toEqual({ ...NEW_DRAFT, task: 'x' })
})
