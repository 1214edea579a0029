import { expect, it } from 'vitest'
import type { EventBody, Result } from '#shared/model/index.ts'
import { createStory, type Saying } from './story.ts'

const t = (message: string, ...values: readonly (string | number)[]) =>
  message.replaceAll(/\{(\d)\}/g, (_, at: string) => String(values[Number(at)]))
const epoch = 1
const moved = (
  to: Extract<EventBody, { type: 'job.state' }>['to'],
  failure: { code: 'check_failed'; detail: string } | null = null,
): EventBody => ({
  type: 'job.state',
  from: 'running',
  to,
  epoch,
  failure,
})
const tool = (toolCallId: string, title: string): EventBody => ({
  type: 'agent.tool',
  epoch,
  toolCallId,
  title,
  kind: 'execute',
  status: 'pending',
  input: null,
  output: null,
  locations: [],
})
const accepted = (commit: string | null, paths: readonly string[] = []): EventBody => ({
  type: 'result.accepted',
  result: {
    commit,
    diffStat: {
      files: paths.length,
      insertions: 3,
      deletions: 1,
      changes: paths.map(path => ({ path, oldPath: null, status: 'modified' as const, insertions: 3, deletions: 1 })),
    },
    checks: [{ argv: ['sh', '-c', 'npm test'], verdict: 'fixed' }],
  } as unknown as Result,
})
const tell = (...bodies: readonly EventBody[]) => {
  const story = createStory(t)
  return { story, said: bodies.flatMap(body => story.tell(body)) }
}
const textOf = (said: readonly Saying[]) =>
  said.map(saying => (saying.kind === 'button' ? `<${saying.action}>` : saying.text)).join('')

it('tells a job from its start to what can be reviewed', () => {
  const { story, said } = tell(
    moved('placing'),
    { type: 'attempt.placed', epoch, node: 'n', name: 'desktop' },
    { type: 'agent.message', epoch, text: 'I look.' },
    tool('1', 'Read price.js'),
    accepted('c', ['price.js']),
    moved('succeeded'),
  )
  expect(said.map(({ kind }) => kind)).toEqual(['progress', 'progress', 'text', 'progress', 'text', 'text', 'button'])
  expect(textOf(said)).toContain('- price\\.js')
  expect(textOf(said)).toContain('npm test: red before, green now')
  expect(said.at(-1)).toEqual({ kind: 'button', action: 'review' })
  expect(story).toMatchObject({ outcome: 'succeeded', hasChanges: true })
})

it('offers nothing to review where nothing was changed, and another try where it failed', () => {
  expect(textOf(tell(accepted(null), moved('succeeded')).said)).not.toContain('<review>')
  const failed = tell(moved('failed', { code: 'check_failed', detail: 'npm test failed' }))
  expect(textOf(failed.said)).toContain('npm test failed<retry>'.replace('<', '\n\n<'))
  expect(failed.story.outcome).toBe('failed')
})

it('lets parts of one message go on in the same line, and begins a paragraph for the next message', () => {
  const message = (text: string): EventBody => ({ type: 'agent.message', epoch, text })
  expect(textOf(tell(message('a long '), message('sentence')).said)).toBe('\n\na long sentence')
  expect(textOf(tell(message('one'), tool('1', 'x'), message('two')).said)).toBe('\n\nonex\n\ntwo')
})

it('says each tool call once, and nothing twice in a row', () => {
  const { said } = tell(tool('1', 'Read a'), tool('1', 'Read a'), tool('2', 'Read a'), tool('3', 'Read b'))
  expect(said.map(saying => saying.kind === 'progress' && saying.text)).toEqual(['Read a', 'Read b'])
})

it('obeys nothing of what an agent, a node or a check says', () => {
  const evil = '[Apply](command:skein.jobs.apply) <img src=x> ![](https://evil/x.png)\n# big\n```\n$(zap)'
  const { said } = tell(
    { type: 'agent.message', epoch, text: evil },
    { type: 'attempt.placed', epoch, node: 'n', name: evil },
    { type: 'attempt.lost', epoch, reason: evil },
    { type: 'agent.plan', epoch, entries: [{ content: evil, status: 'in_progress', priority: 'low' }] },
    tool('1', evil),
    { type: 'permission.requested', epoch, requestId: 'r', title: evil, detail: evil, options: [] },
    { type: 'check.started', epoch, phase: 'result', index: 0, argv: [evil] },
    { type: 'warning', code: 'x', detail: evil },
    accepted('c', [evil]),
    moved('failed', { code: 'check_failed', detail: evil }),
  )
  expect(said.length).toBeGreaterThan(9)
  expect(textOf(said)).not.toMatch(/[^\\][[<`#$](?!retry|review|answer)/)
})
