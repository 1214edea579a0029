import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createProbes } from '#server/compose.ts'
import { type Environment, resolveConfig } from '#server/config.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { serve } from '#server/main.ts'
import { createClient } from '#shared/contract/index.ts'
import type { Config } from '#shared/model/index.ts'
import { makeRepository, status } from './repository.ts'
import { FIX_TEST_SESSION, startScriptedModel } from './scripted-model.ts'

const TASK = 'The test in price.test.js fails. Find out why, mend price.js, and make the test pass. Do not change the test.'

/** What the demo needs of whoever shows it. */
export interface Stage {
  readonly env: Environment
  say(line: string): Promise<void> | void
  /** Runs the command line in a directory. @returns its exit code */
  skein(argv: readonly string[], cwd: string): Promise<number>
}

/** What the demo runs with: what the machine has, or the scripted session. */
interface Cast {
  readonly config: Config
  readonly arguments_: readonly string[]
}

async function cast(base: Config, { env, say }: Stage, life: Lifetime): Promise<Cast> {
  const probes = createProbes(base, env)
  const [{ models }, sandbox] = await Promise.all([probes.models.list(AbortSignal.timeout(5_000)), probes.executors[0]?.probe()])
  const isolation = sandbox?.available ? [] : ['--no-sandbox']
  const first = models[0]
  if (first) {
    const agents = await Promise.all(probes.agents.filter(({ kind }) => kind !== 'command').map(agent => agent.probe()))
    const agent = agents.find(({ usable }) => usable)
    if (agent && sandbox?.available) {
      await say(`Using agent ${agent.id} with model ${first.id}, both found on this machine.`)
      return { config: base, arguments_: ['--agent', agent.id, '--model', first.id] }
    }
  }
  await say(
    'No model was found on this machine (Ollama, OPENAI_BASE_URL), so a scripted model session is played; everything else is real.',
  )
  if (!sandbox?.available)
    await say(
      `No sandbox can be made here (${sandbox?.detail}); the demo asks for none, on a throw-away repository. ${sandbox?.remedy ?? ''}`,
    )
  const scripted = life.use(await startScriptedModel({ steps: FIX_TEST_SESSION }))
  const provider = { kind: 'openai-compatible', id: 'scripted', baseUrl: `${scripted.url}/v1`, models: [] } as const
  return {
    config: { ...base, models: { providers: [{ ...provider, models: [] }] } },
    arguments_: ['--agent', 'builtin', ...isolation],
  }
}

/** The main job on real input, start to end. @returns whether the job succeeded and the work tree is untouched. */
export async function runDemo(stage: Stage): Promise<boolean> {
  const { env, say } = stage
  await using life = new Lifetime()
  const home = await mkdtemp(join(tmpdir(), 'skein-demo-'))
  const data = join(home, 'data')
  life.defer(() => rm(data, { recursive: true, force: true }))
  const repository = join(home, 'shop')
  await makeRepository(repository)
  const before = await status(repository)
  await say(`A git repository with a failing test and uncommitted changes: ${repository}\n${before}`)

  const { config: base } = await resolveConfig({
    flags: { dataDir: data, 'api.port': 0, 'log.level': 'error', 'tailscale.socket': 'off' },
    env: process.env,
    cwd: repository,
  })
  const { config, arguments_ } = await cast(base, stage, life)
  const server = life.use(await serve({ config, env }))
  const token = (await readFile(join(data, 'token'), 'utf8')).trim()
  await say(`The orchestrator is ready at ${server.url}\n`)
  const cli = (...args: string[]) => stage.skein([...args, '--url', server.url, '--token', token], repository)

  const code = await cli('run', TASK, ...arguments_, '--changes', '--check', 'node --test')
  const client = createClient((path, init) => fetch(`${server.url}${path}`, init as RequestInit), token)
  const job = (await client.listJobs({ query: { limit: 1 } })).items[0]
  if (!job || code !== 0) return false
  await say('\nThe diff:')
  await cli('diff', job.id)
  const branch = `skein/${job.id}`
  await cli('apply', job.id, '--branch', branch)
  const after = await status(repository)
  await say(`\nThe result is on branch ${branch} in ${repository}.`)
  await say(after === before ? 'The work tree is as it was.' : `The work tree was changed:\n${after}`)
  return after === before
}
