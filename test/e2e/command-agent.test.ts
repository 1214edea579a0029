import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandAgent } from '#server/agents/command/index.ts'
import type { AgentOutcome, AgentSession } from '#server/agents/index.ts'
import type { Sandbox } from '#server/executors/index.ts'
import { systemClock } from '#server/lib/clock.ts'
import { openProcessExecutor, openWorkshop, type Workshop, whyNoSandbox } from '../contract/executor-workshop.ts'

const { executor, close } = await openProcessExecutor()
const missing = await whyNoSandbox(executor)
const agent = commandAgent({ clock: systemClock, graceMs: 300 })
let workshop: Workshop

beforeAll(async () => {
  workshop = await openWorkshop(executor)
})
afterAll(async () => {
  await workshop[Symbol.asyncDispose]()
  await close()
})

interface Run {
  readonly outcome: AgentOutcome
  readonly log: string
  readonly started: readonly string[]
}

async function run(
  script: string,
  options: { signal?: AbortSignal; said?: (text: string) => void; given?: object } = {},
): Promise<Run> {
  const sandbox: Sandbox = await workshop.sandbox()
  let log = ''
  const started: string[] = []
  const session: AgentSession = {
    jobId: '0000000000000a',
    task: '',
    argv: ['sh', '-c', script],
    sandbox,
    endpoint: null,
    policy: 'deny',
    report: async () => {},
    async log(bytes) {
      log += Buffer.from(bytes).toString()
      options.said?.(log)
    },
    permission: async () => null,
    async started({ pid }, purpose) {
      expect(pid).toBeGreaterThan(1)
      started.push(purpose)
    },
    signal: options.signal ?? new AbortController().signal,
    ...options.given,
  }
  const outcome = await agent.run(session)
  await sandbox.cleanup()
  return { outcome, log, started }
}

describe.skipIf(missing)('agent command', () => {
  it('is the program: its output the log, its exit code the outcome, its process told of first', async () => {
    expect(await run('echo out; echo err >&2')).toEqual({
      outcome: { ok: true, exitCode: 0, stopReason: 'exit 0' },
      log: expect.stringMatching(/^(out\nerr\n|err\nout\n)$/),
      started: ['agent'],
    })
    expect((await run('exit 3')).outcome).toMatchObject({ ok: false, code: 'agent_failed', exitCode: 3 })
    expect((await run('kill -9 $$')).outcome).toMatchObject({
      ok: false,
      code: 'agent_failed',
      detail: expect.stringContaining('SIGKILL'),
    })
  })

  it('is told of the model by the usual names, and of nothing where there is none', async () => {
    const endpoint = { baseUrl: 'http://127.0.0.1:1/v1', token: 'a-token-of-this-job', model: 'm' }
    const script = 'echo "$OPENAI_BASE_URL $OPENAI_API_KEY $OPENAI_MODEL"'
    expect((await run(script, { given: { endpoint } })).log).toBe('http://127.0.0.1:1/v1 a-token-of-this-job m\n')
    expect((await run(script)).log).toBe('  \n')
  })

  it('is asked to end first, and may say goodbye', async () => {
    const stop = new AbortController()
    const { outcome, log } = await run('trap "echo goodbye; exit 0" TERM; echo ready; while :; do sleep 0.05; done', {
      signal: stop.signal,
      said: text => text.includes('ready') && stop.abort(),
    })
    expect(log).toBe('ready\ngoodbye\n')
    expect(outcome.ok).toBe(true)
  })

  it('ends after its grace time with all it started, whatever it ignores', async () => {
    const stop = new AbortController()
    const { outcome } = await run('trap "" TERM; (trap "" TERM; sleep 1000) & echo ready; while :; do sleep 0.05; done', {
      signal: stop.signal,
      said: text => text.includes('ready') && stop.abort(),
    })
    expect(outcome).toMatchObject({ ok: false, code: 'agent_failed' })
  })

  it('does not start where the session is over already', async () => {
    const { outcome } = await run('sleep 1000', { signal: AbortSignal.abort() })
    expect(outcome.ok).toBe(false)
  })
})
