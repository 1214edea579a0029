import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as z from 'zod'
import { createEngine, Nothing, removeContainer } from '#server/executors/container/engine.ts'
import { isEnd } from '#shared/model/index.ts'
import { ENGINE, isLabEngine, LAB_IMAGE, whyNoContainers } from '../contract/executor-workshop.ts'
import { makeRepository } from './node.ts'
import { kill, type Life, start } from './shipped.ts'

const podman = fileURLToPath(new URL('../lab/podman/podman', import.meta.url))
const missing = await whyNoContainers()
const engine = createEngine(ENGINE ?? '')
const Containers = z.array(z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullish() }))

/** Containers of a job, of whichever attempt. */
async function containersOf(jobId: string) {
  const filters = encodeURIComponent(JSON.stringify({ label: [`skein.job=${jobId}`] }))
  return engine.ask(Containers, 'GET', `/containers/json?all=true&filters=${filters}`)
}

const epochsOf = async (jobId: string) => (await containersOf(jobId)).map(({ Labels }) => Labels?.['skein.epoch'])

function settings(root: string, socket = ENGINE): string {
  const file = join(root, 'skein.yaml')
  const container = { socket, image: LAB_IMAGE, pull: 'never' }
  writeFileSync(file, JSON.stringify({ executors: { container }, jobs: { graceMs: 300 } }))
  return file
}

/** A job that goes on until it is stopped, even if it is asked to end. */
const submit = async ({ client }: Life, repository: string) => {
  const { jobId } = await client.createJob({
    body: {
      agent: 'command',
      argv: ['sh', '-c', "trap '' TERM; echo up; while :; do echo on; sleep 0.1; done"],
      executor: 'container',
      repository: { path: repository },
    },
  })
  return jobId
}

async function runs({ client }: Life, id: string, epoch: number): Promise<void> {
  await expect
    .poll(async () => {
      const { state, epoch } = await client.getJob({ params: { id } })
      return [state, epoch]
    })
    .toEqual(['running', epoch])
}

/** One more server of the same Podman. */
async function serveApi(socket: string): Promise<{ stop(): Promise<void> }> {
  const child = spawn(podman, ['run', 'system', 'service', '--time=0', `unix://${socket}`], { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  const other = createEngine(socket)
  await expect
    .poll(() =>
      other.ask(Nothing, 'GET', '/version').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
  return {
    async stop() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
      rmSync(socket, { force: true })
    },
  }
}

async function cancel({ client }: Life, id: string): Promise<void> {
  await client.cancelJob({ params: { id } })
  await expect.poll(async () => isEnd((await client.getJob({ params: { id } })).state)).toBe(true)
  expect((await client.getJob({ params: { id } })).state).toBe('cancelled')
  await expect.poll(() => containersOf(id)).toEqual([])
}

describe.skipIf(missing)('a job in a container', () => {
  it('outlives its orchestrator, which leaves no container of its attempt', async () => {
    const { root, repository } = makeRepository()
    const options = ['--config', settings(root)]
    const first = await start(join(root, 'data'), ...options)
    const id = await submit(first, repository)
    await runs(first, id, 1)
    await kill(first)
    expect(await epochsOf(id)).toEqual(['1'])
    const second = await start(join(root, 'data'), ...options)
    await runs(second, id, 2)
    expect(await epochsOf(id)).toEqual(['2'])
    await cancel(second, id)
    await kill(second)
  })

  it('is placed again when its container is removed by hand, and says why', async () => {
    const { root, repository } = makeRepository()
    const node = await start(join(root, 'data'), '--config', settings(root))
    const id = await submit(node, repository)
    await runs(node, id, 1)
    for (const { Id } of await containersOf(id)) await removeContainer(engine, Id)
    await runs(node, id, 2)
    const { items } = await node.client.listEvents({ params: { id }, query: {} })
    expect(items.flatMap(({ body }) => (body.type === 'attempt.lost' ? [body.reason] : []))).toEqual([
      expect.stringMatching(/its container (was removed|ended with code)/),
    ])
    await cancel(node, id)
    await kill(node)
  })

  it.skipIf(!isLabEngine)('goes on while the engine is away, and can be ended when it is back', async () => {
    const { root, repository } = makeRepository()
    const socket = join(root, 'engine.sock')
    const engine = await serveApi(socket)
    const node = await start(join(root, 'data'), '--config', settings(root, socket))
    const id = await submit(node, repository)
    await runs(node, id, 1)
    await engine.stop()
    const said = async () => (await (await node.client.readLog({ params: { id } })).text()).length
    const before = await said()
    await expect.poll(said).toBeGreaterThan(before)
    await serveApi(socket)
    await runs(node, id, 1)
    await cancel(node, id)
    await kill(node)
  })

  it('is refused where its image is no name of one, before anything is made', async () => {
    const { root, repository } = makeRepository()
    const node = await start(join(root, 'data'), '--config', settings(root))
    for (const image of ['node:24; touch /tmp/x', '$(id)', '`id`', '../../etc', '--privileged', 'a b', 'node:24\nUSER root']) {
      const body = { agent: 'command', argv: ['true'], executor: 'container' as const, image, repository: { path: repository } }
      await expect(node.client.createJob({ body }), image).rejects.toMatchObject({ code: 'invalid_request' })
    }
    await kill(node)
  })
})
