import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveConfig } from '#server/config.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { type Server, serve } from '#server/main.ts'
import { type Client, createClient } from '#shared/contract/index.ts'
import { isEnd, type Job } from '#shared/model/index.ts'
import type { Stage } from './main.ts'
import { makeRepository, status } from './repository.ts'

/** Names of nodes, as a person has them. */
const NAMES = ['laptop', 'desktop', 'cupboard', 'attic', 'office', 'garage', 'cellar', 'shed']
const POLL_MS = 100

interface Node {
  readonly name: string
  readonly server: Server
  readonly token: string
  readonly client: Client
}

async function startNode(name: string, root: string, life: Lifetime): Promise<Node> {
  const dataDir = join(root, name)
  const { config } = await resolveConfig({
    flags: { dataDir, 'api.port': 0, 'log.level': 'fatal', 'tailscale.socket': 'off', 'node.name': name, 'node.concurrency': 2 },
    env: process.env,
    cwd: root,
  })
  const server = life.use(await serve({ config, env: process.env }))
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  const client = createClient((path, init) => fetch(`${server.url}${path}`, init as RequestInit), token)
  return { name, server, token, client }
}

async function finished({ client }: Node, id: string): Promise<Job> {
  for (;;) {
    const job = await client.getJob({ params: { id } })
    if (isEnd(job.state)) return job
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

/** Waits until an attempt runs somewhere else. @returns the name of that node */
async function runsOn({ client }: Node, id: string): Promise<string> {
  for (;;) {
    const [record] = (await client.listPlacements({ params: { id } })).items.slice(-1)
    const { state } = await client.getJob({ params: { id } })
    const winner = record?.asked.find(({ node }) => node === record.awarded)
    if (winner && state === 'running') return winner.name
    if (isEnd(state)) throw new Error(`The job ended as ${state} before it could be followed`)
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

/** Several nodes on one machine: they bid for jobs, one of them dies, and nothing is lost. @returns whether that is so. */
export async function runFleetDemo(stage: Stage, count: number): Promise<boolean> {
  const { say } = stage
  await using life = new Lifetime()
  const root = await mkdtemp(join(tmpdir(), 'skein-fleet-'))
  life.defer(() => rm(root, { recursive: true, force: true }))
  const repository = join(root, 'shop')
  await makeRepository(repository)
  const before = await status(repository)
  const nodes = await Promise.all(NAMES.slice(0, count).map(name => startNode(name, root, life)))
  const [home, ...workers] = nodes
  if (!home || workers.length === 0) throw new Error('A fleet has at least two nodes')
  for (const worker of workers) {
    const { code } = await worker.client.createPairingCode()
    await home.client.addPeer({ body: { address: worker.server.url, code } })
  }
  const cli = (command: string, ...args: string[]) =>
    stage.skein([command, '--url', home.server.url, '--token', home.token, ...args], repository)
  await say(`${nodes.length} nodes on this machine; ${home.name} gives jobs to the others.\n\n$ skein peers`)
  await cli('peers')

  await say(
    '\nA job that must not run at home, on a copy of the repository with its uncommitted changes:\n$ skein run --not-on laptop …',
  )
  const script = 'for step in 1 2 3 4; do echo "step $step"; sleep 0.3; done; echo done >> NOTES.md'
  const code = await cli('run', '--changes', '--not-on', home.name, '--check', 'grep -q done NOTES.md', '--', 'sh', '-c', script)
  if (code !== 0) return false
  const [first] = (await home.client.listJobs({ query: { limit: 1 } })).items
  if (!first) return false
  await say('\nWhy it ran there:')
  await cli('jobs', 'show', first.id, '--why')

  const { jobId } = await home.client.createJob({
    body: { agent: 'command', argv: ['sh', '-c', 'sleep 2; echo survived'], where: { notOn: [home.name] } },
  })
  const where = await runsOn(home, jobId)
  await say(`\nAnother job runs on ${where}, and ${where} is switched off.`)
  await workers.find(({ name }) => name === where)?.server.close()
  const job = await finished(home, jobId)
  await cli('jobs', 'show', jobId, '--why')
  await say(`\nIt ended as ${job.state}, in attempt ${job.epoch}.`)
  const after = await status(repository)
  return job.state === 'succeeded' && job.epoch > 1 && after === before
}
