import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { CONTAINER_SETTINGS, ENGINE, LAB_IMAGE, whyNoContainers } from '../contract/executor-workshop.ts'
import { makeRepository, startNode } from './node.ts'
import { SHOP } from './shop.ts'

const PROGRAM = resolve(import.meta.dirname, '../../cli/main.ts')
const execute = promisify(execFile)
const missing = await whyNoContainers()

/** Flags of a node with containers. */
const CONTAINERS = Object.fromEntries(
  Object.entries(CONTAINER_SETTINGS).map(([name, value]) => [`executors.container.${name}`, value]),
)

describe.skipIf(missing)('a job in a container', () => {
  it('runs an agent that asks its model through the gateway, and checks before and after in containers of their own', async () => {
    await using model = await startScriptedModel({ steps: FIX_TEST_SESSION })
    using repository = makeRepository(SHOP)
    await using node = await startNode(CONTAINERS, { OPENAI_BASE_URL: `${model.url}/v1` })
    const { job, log } = await node.run({
      task: 'Make the test pass',
      agent: 'builtin',
      executor: 'container',
      image: LAB_IMAGE,
      repository: { path: repository.path },
      checks: [['node', '--test']],
    })
    expect(job.failure, log).toBeNull()
    expect(job.result).toMatchObject({
      executor: 'container',
      isolation: 'container',
      image: { name: LAB_IMAGE, digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
      checks: [{ verdict: 'fixed' }],
      diffStat: { files: 1 },
    })
    expect(job.result?.usage.requests).toBeGreaterThan(1)
    expect(await node.client.listWorkloads({ query: {} })).toMatchObject({ items: [], unreachable: [] })
  })

  it('is what `skein run --executor container --image` makes, and doctor and executors tell of', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode(CONTAINERS)
    const env = {
      ...{ PATH: process.env.PATH, HOME: node.dataDir, SKEIN_DATA_DIR: node.dataDir, SKEIN_CONTAINER_SOCKET: ENGINE ?? '' },
      ...{ OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off' },
    }
    const skein = async (...argv: string[]) => {
      const { stdout } = await execute(process.execPath, [PROGRAM, ...argv], { cwd: repository.path, env })
      return stdout
    }
    const ran = await skein(
      ...['run', '--executor', 'container', '--image', LAB_IMAGE, '--'],
      ...['sh', '-c', 'echo uid $(id -u) in $(pwd); echo b >> a.txt'],
    )
    expect(ran).toMatch(/uid [1-9]\d* in \/skein\/work/)
    const [job] = (await node.client.listJobs({ query: {} })).items
    const result = await node.client.getJob({ params: { id: job?.id ?? '' } })
    expect(result).toMatchObject({ state: 'succeeded', result: { isolation: 'container', diffStat: { files: 1 } } })
    expect(JSON.parse(await skein('executors', '--json')).items).toContainEqual(
      expect.objectContaining({ kind: 'container', available: true, isolation: 'container' }),
    )
    expect(await skein('doctor')).toMatch(/sandbox +container: (Podman|Docker) \d/)
  })

  it('fails for good when its image cannot be had, and says so', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode(CONTAINERS)
    const { job } = await node.run({
      agent: 'command',
      argv: ['true'],
      executor: 'container',
      image: 'localhost/no-such-image:1',
      repository: { path: repository.path },
    })
    expect(job).toMatchObject({ state: 'failed', epoch: 1, failure: { code: 'image_unavailable' } })
  })
})
