import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FIX_TEST_SESSION, type ScriptedModel, type Step, startScriptedModel } from '#demo/scripted-model.ts'
import { builtinAgent } from '#server/agents/builtin/index.ts'
import type { Agent, AgentOutcome, AgentReport } from '#server/agents/index.ts'
import type { Executor } from '#server/executors/index.ts'
import { createGateway } from '#server/gateway/index.ts'
import { systemClock as clock } from '#server/lib/clock.ts'
import { createModels, type ModelUse } from '#server/models/index.ts'
import { openAiProvider } from '#server/models/openai-compatible/index.ts'
import { JobId } from '#shared/model/index.ts'
import { LIMITS, openProcessExecutor } from '../contract/executor-workshop.ts'
import { SHOP } from './shop.ts'

const { 'price.js': PRICE, 'price.test.js': TEST } = SHOP
const TOKEN = 'job-token-0123456789'

let base: string
let executor: Executor
let closeExecutor: () => Promise<void>
let builtin: Agent
let isolation: 'sandbox' | 'none'

beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'skein-builtin-')))
  const programFile = join(base, 'builtin-agent.mjs')
  const entry = new URL('../../server/agents/builtin/inside/main.ts', import.meta.url).pathname
  await build({ entryPoints: [entry], outfile: programFile, bundle: true, platform: 'node', format: 'esm', target: 'node22' })
  ;({ executor, close: closeExecutor } = await openProcessExecutor())
  const { available } = await executor.probe()
  // The agent itself is the same in both; what holds it in is tested elsewhere.
  isolation = available ? 'sandbox' : 'none'
  builtin = builtinAgent({ programFile })
})
afterAll(async () => {
  await closeExecutor()
  rmSync(base, { recursive: true, force: true })
})

interface Played {
  readonly outcome: AgentOutcome
  readonly reports: readonly AgentReport[]
  readonly log: string
  readonly uses: readonly ModelUse[]
  read(path: string): string
}

let count = 0
/** Runs the agent on a small project, from a real sandbox through a real gateway to a scripted model. */
async function play(
  model: ScriptedModel,
  options: { agent?: Agent; token?: string; signal?: AbortSignal; started?(): void } = {},
): Promise<Played> {
  const place = join(base, String(++count))
  const workTree = join(place, 'work')
  mkdirSync(workTree, { recursive: true })
  writeFileSync(join(workTree, 'package.json'), '{"type":"module"}')
  writeFileSync(join(workTree, 'price.js'), PRICE)
  writeFileSync(join(workTree, 'price.test.js'), TEST)
  const uses: ModelUse[] = []
  const providers = [openAiProvider({ id: 'p', baseUrl: `${model.url}/v1`, apiKey: null, models: [], clock })]
  const socket = join(place, 'gateway')
  const gateway = await createGateway({ log: pino({ level: 'silent' }) }).open({
    socket,
    models: createModels({ providers, clock }),
    token: TOKEN,
    allow: [],
    relayPort: 3128,
    used: use => uses.push(use),
    refused: () => {},
  })
  const { agent = builtin } = options
  const { readOnly, env } = await agent.needs()
  const spec = { id: `builtin-${process.pid}-${count}`, workTree, scratch: join(place, 'scratch'), limits: LIMITS, isolation }
  const sandbox = await executor.prepare({ ...spec, readOnly, env, gatewaySocket: socket })
  const reports: AgentReport[] = []
  let log = ''
  try {
    const outcome = await agent.run({
      jobId: JobId.parse('0'.repeat(14)),
      task: 'Make the test pass',
      argv: null,
      sandbox,
      endpoint: { baseUrl: `${sandbox.relayUrl}/v1`, token: options.token ?? TOKEN, model: 'scripted' },
      policy: 'allow',
      report: async report => void reports.push(report),
      log: async bytes => {
        log += typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()
      },
      permission: async () => null,
      started: async () => options.started?.(),
      signal: options.signal ?? new AbortController().signal,
    })
    return { outcome, reports, log, uses, read: path => readFileSync(join(workTree, path), 'utf8') }
  } finally {
    await sandbox.cleanup()
    await gateway.close()
  }
}

describe('the built-in agent', () => {
  it('mends a failing test by the tools it has', async () => {
    await using model = await startScriptedModel({ steps: FIX_TEST_SESSION })
    const { outcome, reports, log, uses, read } = await play(model)
    expect(outcome, log).toEqual({ ok: true, exitCode: null, stopReason: 'the model called no more tools' })
    expect(read('price.js')).toContain('(cents * percent) / 100')
    expect(log).toMatch(
      /▸ read price\.js\n[\s\S]*▸ edit price\.js\n[\s\S]*▸ run node --test\n[\s\S]*pass 1[\s\S]*the test passes\.\n$/,
    )
    expect(reports.flatMap(report => (report.type === 'agent.tool' ? [`${report.status} ${report.title}`] : []))).toEqual([
      'in_progress read price.js',
      'completed read price.js',
      'in_progress edit price.js',
      'completed edit price.js',
      'in_progress run node --test',
      'completed run node --test',
    ])
    expect(reports).toContainEqual(expect.objectContaining({ type: 'agent.diff', path: 'price.js', oldText: PRICE }))
    expect(uses).toHaveLength(4)
    expect(uses[0]).toMatchObject({ provider: 'p', model: 'scripted', inputTokens: expect.any(Number) })
    expect(log).not.toContain(TOKEN)
  })

  it('says what the endpoint said when the model cannot be asked', async () => {
    await using model = await startScriptedModel({ steps: [] })
    const { outcome } = await play(model, { token: 'wrong' })
    expect(outcome).toMatchObject({ ok: false, code: 'agent_failed', detail: expect.stringContaining('401') })
  })

  it('ends when its job is cancelled', async () => {
    const controller = new AbortController()
    const steps: Step[] = [{ tools: { run: { command: 'sleep 1000' } } }]
    await using model = await startScriptedModel({ steps })
    const { outcome } = await play(model, { signal: controller.signal, started: () => controller.abort() })
    expect(outcome.ok).toBe(false)
  })

  it('is not believed what it may not say: that is text', async () => {
    const programFile = join(base, 'hostile.mjs')
    const said = [
      '{"type":"message"',
      '{"type":"message","text":"a","epoch":9}',
      '{"type":"job.state","to":"succeeded"}',
      `{"type":"done","reason":"${'x'.repeat(5_000)}"}`,
      'plain',
    ]
    const bytes = `[${[...Buffer.from(`${said.join('\n')}\n`)]},255,10]`
    writeFileSync(programFile, `process.stdin.resume(); process.stdout.write(Buffer.from(${bytes})); console.error('and err')`)
    await using model = await startScriptedModel({ steps: [] })
    const { outcome, log, reports } = await play(model, { agent: builtinAgent({ programFile }) })
    for (const line of [...said, '\ufffd', 'and err']) expect(log).toContain(`${line}\n`)
    expect(reports).toEqual([])
    expect(outcome).toMatchObject({ ok: false, code: 'agent_protocol' })
  })

  it('fails with its program', async () => {
    const programFile = join(base, 'crash.mjs')
    writeFileSync(programFile, 'process.exit(7)')
    await using model = await startScriptedModel({ steps: [] })
    const { outcome } = await play(model, { agent: builtinAgent({ programFile }) })
    expect(outcome).toMatchObject({ ok: false, code: 'agent_failed', exitCode: 7 })
  })
})
