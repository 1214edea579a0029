import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main as skein } from '#cli/main.ts'
import { createProbes } from '#server/compose.ts'
import { resolveConfig } from '#server/config.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { serve } from '#server/main.ts'
import { createLog } from '#server/telemetry/index.ts'
import { createClient } from '#shared/contract/index.ts'
import type { Config } from '#shared/model/index.ts'
import { makeRepository, status } from './repository.ts'
import { FIX_TEST_SESSION, startScriptedModel } from './scripted-model.ts'

const TASK = 'The test in price.test.js fails. Find out why, mend price.js, and make the test pass. Do not change the test.'
const say = (line: string) => process.stdout.write(`${line}\n`)

/** What the demo runs with: what the machine has, or the scripted session. */
interface Cast {
  readonly config: Config
  readonly arguments_: readonly string[]
}

async function cast(base: Config, life: Lifetime): Promise<Cast> {
  const probes = createProbes(base, process.env, createLog('silent'))
  const [{ models }, sandbox] = await Promise.all([probes.models.list(AbortSignal.timeout(5_000)), probes.executors[0]?.probe()])
  const isolation = sandbox?.available ? [] : ['--no-sandbox']
  const first = models[0]
  if (first) {
    const agents = await Promise.all(probes.agents.filter(({ kind }) => kind !== 'command').map(agent => agent.probe()))
    const agent = agents.find(({ usable }) => usable)
    if (agent && sandbox?.available) {
      say(`Using agent ${agent.id} with model ${first.id}, both found on this machine.`)
      return { config: base, arguments_: ['--agent', agent.id, '--model', first.id] }
    }
  }
  say(
    'No model was found on this machine (Ollama, OPENAI_BASE_URL), so a scripted model session is played; everything else is real.',
  )
  if (!sandbox?.available)
    say(
      `No sandbox can be made here (${sandbox?.detail}); the demo asks for none, on a throw-away repository. ${sandbox?.remedy ?? ''}`,
    )
  const scripted = life.use(await startScriptedModel({ steps: FIX_TEST_SESSION }))
  const provider = { kind: 'openai-compatible', id: 'scripted', baseUrl: `${scripted.url}/v1`, models: [] } as const
  return {
    config: { ...base, models: { providers: [{ ...provider, models: [] }] } },
    arguments_: ['--agent', 'builtin', ...isolation],
  }
}

/** The main job on real input, start to end. @returns the exit code: 0 when the job succeeded and the work tree is untouched. */
export async function runDemo(): Promise<number> {
  await using life = new Lifetime()
  const home = await mkdtemp(join(tmpdir(), 'skein-demo-'))
  const data = join(home, 'data')
  life.defer(() => rm(data, { recursive: true, force: true }))
  const repository = join(home, 'shop')
  await makeRepository(repository)
  const before = await status(repository)
  say(`A git repository with a failing test and uncommitted changes: ${repository}\n${before}`)

  const { config: base } = resolveConfig({
    flags: { dataDir: data, 'api.port': 0, 'log.level': 'error' },
    env: process.env,
    cwd: repository,
  })
  const { config, arguments_ } = await cast(base, life)
  const server = life.use(await serve({ config, env: process.env }))
  const token = (await readFile(join(data, 'token'), 'utf8')).trim()
  say(`The orchestrator is ready at ${server.url}\n`)
  const cli = (...args: string[]) => skein([...args, '--url', server.url, '--token', token])

  process.chdir(repository)
  const code = await cli('run', TASK, ...arguments_, '--changes', '--check', 'node --test')
  const client = createClient((path, init) => fetch(`${server.url}${path}`, init as RequestInit), token)
  const job = (await client.listJobs({ query: { limit: 1 } })).items[0]
  if (!job) return 1
  if (code !== 0) return code
  say('\nThe diff:')
  await cli('diff', job.id)
  const branch = `skein/${job.id}`
  await cli('apply', job.id, '--branch', branch)
  const after = await status(repository)
  say(`\nThe result is on branch ${branch} in ${repository}.`)
  say(after === before ? 'The work tree is as it was.' : `The work tree was changed:\n${after}`)
  return after === before ? 0 : 1
}

if (import.meta.main) process.exitCode = await runDemo()
