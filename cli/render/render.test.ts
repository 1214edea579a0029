import { describe, expect, test } from 'vitest'
import type { Job, JobSummary, Result } from '#shared/model/index.ts'
import { JobSpec } from '#shared/model/index.ts'
import { renderPatch } from '../commands/diff.ts'
import { renderJobs } from '../commands/jobs.ts'
import type { Paint } from '../terminal.ts'
import { renderCommand } from './command.ts'
import { renderEvent } from './event.ts'
import { renderJob } from './job.ts'

const plain: Paint = (_, text) => text
const named: Paint = (style, text) => `<${style}>${text}</${style}>`
const run = { ended: 'exit', durationMs: 1234, logOffset: 0, logBytes: 0, logSha256: '' } as const

const result: Result = {
  epoch: 1,
  snapshot: 'a'.repeat(40),
  commit: 'b'.repeat(40),
  ref: 'refs/skein/jobs/aaaaaa11111111',
  diffStat: {
    files: 3,
    insertions: 12,
    deletions: 4,
    changes: [
      { path: 'src/price.ts', oldPath: null, status: 'modified', insertions: 10, deletions: 4 },
      { path: 'logo\u001B[2J.png', oldPath: null, status: 'added', insertions: null, deletions: null },
      { path: 'b.ts', oldPath: 'a.ts', status: 'renamed', insertions: 2, deletions: 0 },
    ],
  },
  checks: [
    { argv: ['sh', '-c', 'npm test'], verdict: 'fixed', base: { ...run, exitCode: 1 }, result: { ...run, exitCode: 0 } },
    { argv: ['make', 'two words'], verdict: 'vacuous', base: { ...run, exitCode: 0 }, result: { ...run, exitCode: 0 } },
  ],
  exitCode: null,
  usage: { requests: 3, inputTokens: 12_345, outputTokens: 678, durationMs: 900 },
  durations: { queueMs: 1, prepareMs: 2, runMs: 3, checkMs: 4 },
  executor: 'process',
  isolation: 'process',
  agent: { id: 'opencode', version: '1.18.0' },
  model: 'qwen3',
  logBytes: 10,
  warnings: [{ code: 'symlink', detail: 'a link was left out' }],
}
const job: Job = {
  id: 'aaaaaa11111111',
  state: 'succeeded',
  epoch: 1,
  title: 'Make the test pass',
  spec: JobSpec.parse({ task: 'Make the test pass' }),
  snapshot: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:13.000Z',
  startedAt: '2026-01-01T00:00:01.000Z',
  endedAt: '2026-01-01T00:00:13.400Z',
  cancelRequested: false,
  retryOf: null,
  failure: null,
  result,
}

describe('renderJob', () => {
  test('a job that succeeded: what it did, why to believe it, what to do next', () => {
    expect(renderJob(job, [], plain).join('\n')).toMatchInlineSnapshot(`
      "✓ succeeded in 12s  aaaaaa11111111  Make the test pass
        agent     opencode 1.18.0, model qwen3
        sandbox   process
        checks    ✓ npm test  red before, green after
                  ✓ make 'two words'  green before too, so it proves little
        changes   3 files, +12 −4
                    M src/price.ts  +10 −4
                    A logo.png  binary
                    R a.ts → b.ts  +2 −0
        tokens    12,345 in, 678 out
        warnings  a link was left out
        commit    bbbbbbbbbbbb  refs/skein/jobs/aaaaaa11111111
        review    skein diff aaaaaa11111111
        apply     skein apply aaaaaa11111111"
    `)
  })

  test('which image it ran in', () => {
    const image = { name: 'node:24', digest: `sha256:${'a'.repeat(64)}` }
    const shown = (more: Partial<Result>) => renderJob({ ...job, result: { ...result, ...more } }, [], plain).join('\n')
    expect(shown({ executor: 'container', isolation: 'container', image })).toContain(
      `  sandbox   container\n  image     node:24\n            sha256:${'a'.repeat(64)}\n`,
    )
    expect(shown({ image: { ...image, digest: null } })).toContain('  image     node:24\n  checks')
  })

  test('a job that failed: why, and what to do about it', () => {
    const failed: Job = {
      ...job,
      state: 'failed',
      result: null,
      retryOf: 'bbbbbb22222222',
      failure: { code: 'agent_failed', detail: 'sh exited with code 3', remedy: 'Read its log.' },
    }
    expect(renderJob(failed, [], plain).join('\n')).toMatchInlineSnapshot(`
      "✗ failed in 12s  aaaaaa11111111  Make the test pass
        why       sh exited with code 3
        try       Read its log.
        agent     auto
        retry of  bbbbbb22222222
        log       skein logs aaaaaa11111111
        again     skein retry aaaaaa11111111"
    `)
  })

  test('a job that runs, and one that changed nothing', () => {
    expect(renderJob({ ...job, state: 'running', endedAt: null, result: null }, [], plain).join('\n')).toMatchInlineSnapshot(`
      "• running  aaaaaa11111111  Make the test pass
        agent     auto
        watch     skein logs -f aaaaaa11111111"
    `)
    const nothing: Result = {
      ...result,
      commit: null,
      ref: null,
      checks: [],
      warnings: [],
      diffStat: { files: 0, insertions: 0, deletions: 0, changes: [] },
    }
    expect(renderJob({ ...job, result: nothing }, [], plain).join('\n')).toMatchInlineSnapshot(`
      "✓ succeeded in 12s  aaaaaa11111111  Make the test pass
        agent     opencode 1.18.0, model qwen3
        sandbox   process
        changes   no changes
        tokens    12,345 in, 678 out"
    `)
  })
})

describe('renderEvent', () => {
  const checks = [['sh', '-c', 'npm test']]
  const render = (body: Parameters<typeof renderEvent>[0]) => renderEvent(body, checks, named)

  test('a red check is red after the work, and expected before it', () => {
    const red = { ...run, exitCode: 1 }
    expect(render({ type: 'check.ended', epoch: 1, phase: 'base', index: 0, run: red })).toMatchInlineSnapshot(
      `"<dim>  before: red  npm test  (exit code 1, 1.2s)</dim>"`,
    )
    expect(render({ type: 'check.ended', epoch: 1, phase: 'result', index: 0, run: red })).toMatchInlineSnapshot(
      `"  <red>✗</red> npm test  exit code 1, 1.2s"`,
    )
    expect(
      render({ type: 'check.ended', epoch: 1, phase: 'result', index: 0, run: { ...run, exitCode: 0 } }),
    ).toMatchInlineSnapshot(`"  <green>✓</green> npm test  <dim>1.2s</dim>"`)
    const killed = { ...run, ended: 'timeout', exitCode: null } as const
    expect(render({ type: 'check.ended', epoch: 1, phase: 'result', index: 0, run: killed })).toMatchInlineSnapshot(
      `"  <red>✗</red> npm test  ended by timeout, 1.2s"`,
    )
  })

  test('what an agent says cannot act on the terminal', () => {
    const hostile = '\u001B]0;owned\u0007\u001B[2Jhello\rworld'
    expect(render({ type: 'agent.message', epoch: 1, text: hostile })).toBe('hello\nworld')
    expect(render({ type: 'permission.requested', epoch: 1, requestId: 'r', title: hostile, detail: '', options: [] })).toContain(
      'hello world',
    )
    expect(render({ type: 'attempt.lost', epoch: 2, reason: hostile })).not.toContain('\u001B')
  })

  test('a job without a sandbox says so', () => {
    const started = {
      type: 'attempt.started',
      epoch: 2,
      executor: 'process',
      agent: 'command',
      agentVersion: null,
      model: null,
      why: '',
    } as const
    expect(render({ ...started, isolation: 'none' })).toBe('  attempt 2: agent command, <yellow>no sandbox</yellow>')
    expect(render({ ...started, isolation: 'process', model: 'm' })).toBe('  attempt 2: agent command, model m, process sandbox')
  })
})

test('renderCommand shows what a person would type', () => {
  expect(renderCommand(['sh', '-c', 'npm test && echo ok'])).toBe('npm test && echo ok')
  expect(renderCommand(['git', 'commit', '-m', "it's"])).toBe(String.raw`git commit -m 'it'\''s'`)
  expect(renderCommand(['a', '', '\u001B[2J'])).not.toContain('\u001B')
})

test('renderPatch colours lines and makes them safe', () => {
  expect(renderPatch('diff --git a/x b/x\n@@ -1 +1 @@\n-old\n+new\u001B[2J\n same\n', named)).toBe(
    '<bold>diff --git a/x b/x</bold>\n<cyan>@@ -1 +1 @@</cyan>\n<red>-old</red>\n<green>+new</green>\n same\n',
  )
})

describe('a job whose node may not be heard of', () => {
  const lines = (disconnect: object, more: Partial<Job> = {}) =>
    renderJob({ ...job, ...more, spec: JobSpec.parse({ task: 'x', disconnect }) }, [], plain)

  test('says how long it waits, or that it keeps both', () => {
    expect(lines({ kind: 'wait', ms: 7_200_000 }).join()).toContain('waits 2h for its node')
    expect(lines({ kind: 'keep-both' }).join()).toContain('the first attempt to finish wins')
    expect(lines({ kind: 'replace' }).join()).not.toContain('unheard')
  })

  test('says which attempt won, where that was not the newest', () => {
    expect(lines({ kind: 'keep-both' }, { epoch: 2 }).join()).toContain('1 of 2, which ended first')
    expect(lines({ kind: 'keep-both' }).join()).not.toContain('ended first')
  })
})

describe('renderJobs', () => {
  const summary = (id: string, state: JobSummary['state'], title: string): JobSummary => ({
    id,
    state,
    epoch: 1,
    title,
    spec: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    startedAt: '2026-01-01T00:00:01.000Z',
    endedAt: state === 'running' ? null : '2026-01-01T00:00:13.000Z',
    failure: null,
    agent: 'opencode',
    priority: 0,
    repository: null,
  })
  const jobs = [
    summary('aaaaaa11111111', 'running', 'Make the test pass, whatever it takes, and do not touch anything else'),
    summary('bbbbbb22222222', 'failed', 'タスクを直す'),
  ]
  const now = Date.parse('2026-01-01T00:02:00.000Z')

  test('fits the terminal', () => {
    const lines = renderJobs(jobs, now, { columns: 72, paint: plain })
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "ID              STATE      AGENT     AGE    TOOK  TASK
      aaaaaa11111111  • running  opencode   2m  1m 59s  Make the test pass, w…
      bbbbbb22222222  ✗ failed   opencode   2m     12s  タスクを直す"
    `)
  })

  test('is whole where a program reads it', () => {
    expect(renderJobs(jobs, now, { columns: Number.POSITIVE_INFINITY, paint: plain })[1]).toContain('touch anything else')
  })
})
