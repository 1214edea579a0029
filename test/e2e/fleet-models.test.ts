import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { systemClock } from '#server/lib/clock.ts'
import { httpLink, loadIdentity } from '#server/peers/index.ts'
import { type ApiError, type Client, createClient } from '#shared/contract/index.ts'
import { json, type StubRequest, startStub } from '#test/fakes/stub-server.ts'
import { processesNaming } from '../faults/node.ts'
import { hasSandbox, makeRepository, startNode, type TestNode } from './node.ts'
import { SHOP } from './shop.ts'

const KEY = 'sk-planted-0123456789abcdefghij'
const labBin = fileURLToPath(new URL('../lab/agents/node_modules/.bin', import.meta.url))
const cli = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const hasOpenCode = existsSync(join(labBin, 'opencode'))

/** A node in a process of its own, of which everything it has is looked at. */
interface Machine extends AsyncDisposable {
  readonly url: string
  readonly dataDir: string
  readonly client: Client
  /** Everything it has written, printed, or given a process of its own to know. */
  holds(needle: string): string[]
}

async function startMachine(name: string, env: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const dataDir = mkdtempSync(join(tmpdir(), 'skein-machine-'))
  const flags = ['--json', '--port', '0', '--data-dir', dataDir, '--name', name, '--log-level', 'trace']
  const child: ChildProcess = spawn(process.execPath, [cli, 'serve', ...flags], {
    env: {
      PATH: `${process.env.PATH ?? ''}${delimiter}${labBin}`,
      HOME: dataDir,
      OLLAMA_HOST: 'http://127.0.0.1:9',
      SKEIN_TAILSCALE_SOCKET: 'off',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  let printed = ''
  child.stderr?.on('data', chunk => {
    printed += String(chunk)
  })
  if (!child.stdout) throw new Error('The server has no output')
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  const token = readFileSync(join(dataDir, 'token'), 'utf8').trim()
  return {
    url,
    dataDir,
    client: createClient((path, init) => fetch(url + path, init as RequestInit), token),
    holds(needle) {
      const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
      const written = files.map(({ parentPath, name: file }) => join(parentPath, file)).filter(file => contains(file, needle))
      const known = processesNaming(dataDir)
        .flatMap(pid => [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`])
        .filter(file => contains(file, needle))
      return [...written, ...known, ...(printed.includes(needle) ? ['its log'] : [])]
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** Files and processes come and go while they are looked at. */
function contains(file: string, needle: string): boolean {
  try {
    return readFileSync(file).includes(needle)
  } catch {
    return false
  }
}

async function pair(home: TestNode, worker: { url: string; client: Client }): Promise<void> {
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: worker.url, code } })
}

const homeWith = (url: string, flags: Readonly<Record<string, unknown>> = {}) =>
  startNode({ 'node.name': 'home', ...flags }, { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: KEY })

/** What a program in a sandbox asks of the endpoint it was given, and prints. */
const ASK = `
const { OPENAI_BASE_URL: base, OPENAI_API_KEY: own, OTHER: other } = process.env
const ask = async (path, body, token = own) => {
  const response = await fetch(base + path, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: 'Bearer ' + token, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  console.log(path, response.status, (await response.text()).replaceAll('\\n', '|'))
}
`

describe.skipIf(!hasSandbox)('the models of a job that runs on another node', () => {
  it.each(['builtin', ...(hasOpenCode ? ['opencode'] : [])])(
    'are its home’s: %s mends a test where there is no provider, and no key gets there',
    { timeout: 180_000 },
    async agent => {
      await using model = await startScriptedModel({ steps: FIX_TEST_SESSION })
      using repository = makeRepository(SHOP)
      await using home = await homeWith(model.url)
      await using worker = await startMachine('worker')
      await pair(home, worker)
      // A loaded machine takes seconds to ask an agent for its version, and tells of itself only then.
      const offered = async () => (await home.client.listPeers()).items.flatMap(({ card }) => card?.agents ?? [])
      await expect.poll(offered, { timeout: 60_000 }).toContain(agent)
      const { jobId } = await home.client.createJob({
        body: {
          task: 'Make the test pass',
          agent,
          model: 'scripted',
          repository: { path: repository.path },
          checks: [['node', '--test']],
          where: { on: ['worker'] },
        },
      })
      await home.until(jobId, ({ body }) => body.type === 'model.usage')
      expect(worker.holds(jobId)).not.toEqual([])
      expect(worker.holds(KEY)).toEqual([])
      const { job, events, log } = await home.finish(jobId)
      expect(job.failure, log).toBeNull()
      expect(job.result).toMatchObject({ isolation: 'process', model: 'scripted', checks: [{ verdict: 'fixed' }] })
      expect(worker.holds(KEY)).toEqual([])

      const uses = events.flatMap(({ body }) => (body.type === 'model.usage' ? [body] : []))
      expect(uses).toHaveLength(model.requests.length)
      expect(job.result?.usage).toMatchObject({
        requests: model.requests.length,
        outputTokens: uses.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
      })
      const [placement] = (await home.client.listPlacements({ params: { id: jobId } })).items
      expect(placement?.asked).toMatchObject([{ name: 'worker', answer: { terms: { modelLocal: false } } }])
    },
  )

  it('are listed, stream and embed as at home; a token of another attempt, or none, gets nothing', async () => {
    const answer = (request: StubRequest, response: Parameters<Parameters<typeof startStub>[0]>[1]) => {
      if (request.path === '/v1/models') return json(response, { data: [{ id: 'large' }] })
      if (request.path === '/v1/embeddings') return json(response, { data: [{ embedding: [1, 2] }], usage: { prompt_tokens: 4 } })
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const word of ['one', 'two']) response.write(`data: {"choices":[{"delta":{"content":"${word}"}}]}\n\n`)
      response.end('data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\ndata: [DONE]\n\n')
    }
    await using provider = await startStub(answer)
    await using home = await homeWith(provider.url)
    await using worker = await startNode({ 'node.name': 'worker' })
    await pair(home, worker)
    const program = (script: string) => ({
      agent: 'command',
      argv: ['node', '--input-type=module', '-e', `${ASK}${script}`],
      model: 'large',
      where: { on: ['worker'] },
    })
    // A token is struck out of a log, so it comes back to front.
    const first = await home.run(program('console.log([...own].reverse().join(""))'))
    const other = [...first.log.matchAll(/^\S{20,}$/gm)].map(([line]) => [...line].reverse().join('')).at(-1) ?? ''
    expect(other).not.toBe('')

    const { job, events, log } = await home.run({
      ...program(`
        const chat = { model: 'large', messages: [{ role: 'user', content: 'hi' }], tools: [{ type: 'function', function: { name: 'f' } }] }
        await ask('/models')
        await ask('/chat/completions', { ...chat, stream: true })
        await ask('/embeddings', { model: 'large', input: 'text' })
        await ask('/chat/completions', chat, other)
        await ask('/chat/completions', chat, '')
      `),
      env: { OTHER: other },
    })
    expect(job.failure, log).toBeNull()
    expect(log).toMatch(/\/models 200 .*"id":"large"/)
    expect(log).toMatch(/\/chat\/completions 200 .*one.*two.*\[DONE\]/)
    expect(log).toMatch(/\/embeddings 200 .*\[1,2\]/)
    expect(log.match(/\/chat\/completions 401/g)).toHaveLength(2)
    const asked = provider.requests.filter(({ method }) => method === 'POST')
    expect(asked.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v1/embeddings'])
    expect(asked[0]?.body).toMatchObject({ tools: [{ function: { name: 'f' } }] })
    expect(asked.every(({ headers }) => headers.authorization === `Bearer ${KEY}`)).toBe(true)
    const uses = events.flatMap(({ body }) => (body.type === 'model.usage' ? [[body.inputTokens, body.outputTokens]] : []))
    expect(uses).toEqual([
      [7, 2],
      [4, 0],
    ])

    // What is over is refused, and what runs for one node is nothing to another.
    const link = async (node: TestNode) => {
      const identity = await loadIdentity(join(node.dataDir, 'node.key'))
      const [peer] = (await node.client.listPeers()).items
      return httpLink({ id: peer?.id ?? '', name: 'worker', address: worker.url }, { identity, clock: systemClock })
    }
    const known = { after: 0, open: [], waitMs: 0 }
    const never = new AbortController().signal
    const piece = { offset: 0, status: 200, type: 'x/y', end: 'whole', body: new Uint8Array(1) } as const
    const ofHome = await link(home)
    // The home settles with the worker after the job has ended.
    const refusal = () => ofHome.modelCalls({ jobId: job.id, epoch: 1 }, known, never).catch(({ code }: ApiError) => code)
    await expect.poll(refusal, { timeout: 20_000 }).toBe('not_yours')
    await expect(ofHome.answerModelCall({ jobId: job.id, epoch: 1 }, 1, piece, never)).rejects.toMatchObject({
      code: 'not_yours',
    })

    await using third = await startNode({ 'node.name': 'third' })
    await pair(third, worker)
    const running = await home.client.createJob({ body: program('setTimeout(() => {}, 1e6)') })
    await home.until(running.jobId, ({ body }) => body.type === 'attempt.process')
    const attempt = { jobId: running.jobId, epoch: 1 }
    expect(await ofHome.modelCalls(attempt, known, never)).toMatchObject({ isOver: false })
    await expect((await link(third)).modelCalls(attempt, known, never)).rejects.toMatchObject({ code: 'not_yours' })
    await home.client.cancelJob({ params: { id: running.jobId } })
    await home.finish(running.jobId)
  })

  it('stop thinking when the job is cancelled', async () => {
    const asked = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    await using provider = await startStub((request, response) => {
      if (request.path === '/v1/models') return json(response, { data: [{ id: 'slow' }] })
      response.once('close', gone.resolve)
      asked.resolve()
    })
    await using home = await homeWith(provider.url)
    await using worker = await startNode({ 'node.name': 'worker' })
    await pair(home, worker)
    const chat = `await ask('/chat/completions', { model: 'slow', messages: [{ role: 'user', content: 'hi' }] })`
    const { jobId } = await home.client.createJob({
      body: {
        agent: 'command',
        argv: ['node', '--input-type=module', '-e', `${ASK}${chat}`],
        model: 'slow',
        where: { on: ['worker'] },
      },
    })
    await asked.promise
    await home.client.cancelJob({ params: { id: jobId } })
    await gone.promise
    expect((await home.finish(jobId)).job.state).toBe('cancelled')
  })

  it.each([
    ['prefer-worker', {}, 'worker'],
    ['prefer-home', {}, 'home'],
    ['home-only', {}, 'home'],
    ['worker-only', {}, 'worker'],
    // A key that was bought for the worker's own jobs is not spent on those of others.
    ['prefer-worker', { OPENAI_API_KEY: 'sk-the-workers-own-0123456789' }, 'home'],
  ])('answer as the home says: %s, worker with %o: %s', async (policy, env, expected) => {
    const named = (who: string) => (request: StubRequest, response: Parameters<typeof json>[0]) =>
      request.path === '/v1/models' ? json(response, { data: [{ id: 'm' }] }) : json(response, { answered: who })
    await using ofHome = await startStub(named('home'))
    await using ofWorker = await startStub(named('worker'))
    await using home = await homeWith(ofHome.url, { 'fleet.models': policy })
    await using worker = await startNode({ 'node.name': 'worker' }, { OPENAI_BASE_URL: `${ofWorker.url}/v1`, ...env })
    await pair(home, worker)
    const chat = `await ask('/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'hi' }] })`
    const { job, log } = await home.run({
      agent: 'command',
      argv: ['node', '--input-type=module', '-e', `${ASK}${chat}`],
      model: 'm',
      where: { on: ['worker'] },
    })
    expect(job.failure, log).toBeNull()
    expect(log).toContain(`{"answered":"${expected}"}`)
    expect(job.result?.usage.requests).toBe(1)
  })

  it('are refused in the record of the placement where only the home has them and the home keeps them', async () => {
    await using provider = await startStub((_, response) => json(response, { data: [{ id: 'm' }] }))
    await using home = await homeWith(provider.url, { 'fleet.models': 'worker-only' })
    await using worker = await startNode({ 'node.name': 'worker' })
    await pair(home, worker)
    const { jobId } = await home.client.createJob({
      body: { agent: 'command', argv: ['true'], model: 'm', where: { on: ['worker'] }, timeouts: { queueMs: 500 } },
    })
    await home.finish(jobId)
    const [placement] = (await home.client.listPlacements({ params: { id: jobId } })).items
    expect(placement?.filtered).toContainEqual(expect.objectContaining({ name: 'worker', why: 'It has no model "m".' }))
  })
})
