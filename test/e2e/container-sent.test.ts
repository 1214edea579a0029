import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { isLabEngine, LAB_IMAGE, whyNoContainers } from '../contract/executor-workshop.ts'
import { openSentEngine, type SentEngine } from '../contract/sent-engine.ts'
import { makeRepository, startNode } from './node.ts'
import { SHOP } from './shop.ts'

const missing = await whyNoContainers()

describe.skipIf(missing || !isLabEngine)('a job beside its node, with an engine behind the proxy of deploy/compose.yaml', () => {
  let life: Lifetime
  let lab: SentEngine
  beforeAll(async () => {
    life = new Lifetime()
    lab = await openSentEngine(life, 'e2e')
  }, 60_000)
  afterAll(() => life[Symbol.asyncDispose]())
  const start = (env: Record<string, string> = {}) =>
    startNode(
      { 'executors.container.image': LAB_IMAGE, 'executors.container.pull': 'never', 'executors.container.network': lab.network },
      { DOCKER_HOST: lab.at, ...env },
    )

  it('runs an agent whose only way out is its gateway, and checks before and after', async () => {
    await using model = await startScriptedModel({ steps: FIX_TEST_SESSION })
    using repository = makeRepository(SHOP)
    await using node = await start({ OPENAI_BASE_URL: `${model.url}/v1` })
    const { job, log } = await node.run({
      task: 'Make the test pass',
      agent: 'builtin',
      executor: 'container',
      repository: { path: repository.path },
      checks: [['node', '--test']],
    })
    expect(job.failure, log).toBeNull()
    expect(job.result).toMatchObject({ isolation: 'container', checks: [{ verdict: 'fixed' }], diffStat: { files: 1 } })
    expect(job.result?.usage.requests).toBeGreaterThan(1)
    expect(await node.client.listWorkloads({ query: {} })).toMatchObject({ items: [], unreachable: [] })
    expect(lab.refused).toEqual([])
  })

  it('fails by its disk limit, not by what that does to its work tree', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await start()
    const { job } = await node.run({
      agent: 'command',
      argv: ['sh', '-c', 'head -c 9000000 /dev/zero > big; sleep 100'],
      executor: 'container',
      repository: { path: repository.path },
      limits: { diskBytes: 4 * 2 ** 20 },
    })
    expect(job.failure).toMatchObject({ code: 'limit_disk' })
  })
})
