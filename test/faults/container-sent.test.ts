import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { createEngine, removeContainer } from '#server/executors/container/engine.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { isEnd } from '#shared/model/index.ts'
import { ENGINE, isLabEngine, LAB_IMAGE, whyNoContainers } from '../contract/executor-workshop.ts'
import { openSentEngine, type SentEngine } from '../contract/sent-engine.ts'
import { makeRepository } from './node.ts'
import { kill, type Life, start } from './shipped.ts'

const missing = await whyNoContainers()
/** Past the proxy, for what only tests ask. */
const direct = createEngine(ENGINE ?? '')
const Containers = z.array(z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullish() }))
const Volumes = z.object({ Volumes: z.array(z.object({ Name: z.string() })).nullish() })

async function containersOf(jobId: string) {
  const filters = encodeURIComponent(JSON.stringify({ label: [`skein.job=${jobId}`] }))
  return direct.ask(Containers, 'GET', `/containers/json?all=true&filters=${filters}`)
}
const volumes = async () => (await direct.ask(Volumes, 'GET', '/volumes')).Volumes?.map(({ Name }) => Name) ?? []

describe.skipIf(missing || !isLabEngine)('a job in a container that was sent what it needs', () => {
  let life: Lifetime
  let lab: SentEngine
  beforeAll(async () => {
    life = new Lifetime()
    lab = await openSentEngine(life, 'faults')
  }, 60_000)
  afterAll(() => life[Symbol.asyncDispose]())

  function settings(root: string): string[] {
    const file = join(root, 'skein.yaml')
    const container = { socket: lab.at, network: lab.network, image: LAB_IMAGE, pull: 'never' }
    writeFileSync(file, JSON.stringify({ executors: { container }, jobs: { graceMs: 300 } }))
    return ['--config', file]
  }
  /** A job that goes on until it is stopped. */
  async function submit({ client }: Life, repository: string): Promise<string> {
    const argv = ['sh', '-c', "trap '' TERM; while :; do echo on; sleep 0.1; done"]
    const body = { agent: 'command', argv, executor: 'container' as const, repository: { path: repository } }
    return (await client.createJob({ body })).jobId
  }
  const runs = ({ client }: Life, id: string, epoch: number) =>
    expect
      .poll(async () => {
        const { state, epoch } = await client.getJob({ params: { id } })
        return [state, epoch]
      })
      .toEqual(['running', epoch])
  async function cancel({ client }: Life, id: string): Promise<void> {
    await client.cancelJob({ params: { id } })
    await expect.poll(async () => isEnd((await client.getJob({ params: { id } })).state)).toBe(true)
    await expect.poll(() => containersOf(id)).toEqual([])
  }

  it('leaves no container and no volume when its orchestrator was killed', async () => {
    const { root, repository } = makeRepository()
    const before = await volumes()
    const first = await start(join(root, 'data'), ...settings(root))
    const id = await submit(first, repository)
    await runs(first, id, 1)
    await kill(first)
    const second = await start(join(root, 'data'), ...settings(root))
    await runs(second, id, 2)
    expect((await containersOf(id)).map(({ Labels }) => Labels?.['skein.epoch'])).toEqual(['2'])
    await cancel(second, id)
    expect((await volumes()).filter(name => !before.includes(name))).toEqual([])
    await kill(second)
  })

  it('is placed again when its container is removed by hand', async () => {
    const { root, repository } = makeRepository()
    const node = await start(join(root, 'data'), ...settings(root))
    const id = await submit(node, repository)
    await runs(node, id, 1)
    for (const { Id } of await containersOf(id)) await removeContainer(direct, Id)
    await runs(node, id, 2)
    await cancel(node, id)
    await kill(node)
  })

  it('goes on while the proxy is away, and can be ended when it is back', async () => {
    const { root, repository } = makeRepository()
    const node = await start(join(root, 'data'), ...settings(root))
    const id = await submit(node, repository)
    await runs(node, id, 1)
    await lab.stop()
    const said = async () => (await (await node.client.readLog({ params: { id } })).text()).length
    const before = await said()
    await expect.poll(said).toBeGreaterThan(before)
    await lab.start()
    await runs(node, id, 1)
    await cancel(node, id)
    await kill(node)
  })
})
