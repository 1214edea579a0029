import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createEngine } from '#server/executors/container/engine.ts'
import { haveImage } from '#server/executors/container/image.ts'
import { createPulledImages } from '#server/executors/container/pulled-images.ts'
import type { Executor } from '#server/executors/index.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { executorContract } from './executor.ts'
import {
  containerSettings,
  ENGINE,
  isLabEngine,
  LIMITS,
  openContainerExecutor,
  openWorkshop,
  runIn,
  whyNoContainers,
} from './executor-workshop.ts'
import { openRegistry } from './registry.ts'
import { openSentEngine, type SentEngine } from './sent-engine.ts'

const execute = promisify(execFile)
const podman = fileURLToPath(new URL('../lab/podman/podman', import.meta.url))
const missing = await whyNoContainers()
const Made = z.object({
  Mounts: z.array(z.object({ Type: z.string(), Destination: z.string() })),
  NetworkSettings: z.object({ Networks: z.record(z.string(), z.unknown()) }),
})
const Volumes = z.object({ Volumes: z.array(z.object({ Name: z.string() })).nullish() })
/** Past the proxy, for what only tests ask. */
const direct = createEngine(ENGINE ?? '')
const Listed = z.array(z.object({ Id: z.string() }))

describe.skipIf(missing || !isLabEngine)('containers that are sent what they need', () => {
  let life: Lifetime
  let lab: SentEngine
  let executor: Executor
  const open = (changes: Parameters<typeof containerSettings>[0] = {}) => {
    const made = openContainerExecutor({ settings: containerSettings({ socket: lab.at, network: lab.network, ...changes }) })
    life.defer(() => made.close())
    return made
  }
  beforeAll(async () => {
    life = new Lifetime()
    lab = await openSentEngine(life, 'sent')
    executor = open()
  }, 60_000)
  afterAll(() => life[Symbol.asyncDispose]())

  executorContract('in a sandbox', { isolation: 'sandbox', executor: () => executor, node: 'node', hasHostProcesses: false })

  test('say so', async () => {
    expect(await executor.probe()).toMatchObject({
      available: true,
      detail: expect.stringContaining(`${lab.at}, which is sent what jobs need (network ${lab.network})`),
    })
  })

  test('have nothing of this machine mounted, and leave no volume', async () => {
    await using workshop = await openWorkshop(executor)
    const shown = join(workshop.directory, 'shown')
    await mkdir(join(shown, 'deep'), { recursive: true })
    await writeFile(join(shown, 'deep/program'), '#!/bin/sh\necho ran', { mode: 0o700 })
    const before = (await direct.ask(Volumes, 'GET', '/volumes')).Volumes?.length ?? 0
    const sandbox = await workshop.sandbox({ readOnly: [shown] })
    const [container] = await lab.engine.ask(
      Listed,
      'GET',
      `/containers/json?filters=${encodeURIComponent('{"label":["skein.sandbox"]}')}`,
    )
    const made = await lab.engine.ask(Made, 'GET', `/containers/${container?.Id}/json`)
    expect(Object.keys(made.NetworkSettings.Networks)).toEqual([lab.network])
    expect(new Set(made.Mounts.map(({ Type }) => Type))).not.toContain('bind')
    const script = [
      `${shown}/deep/program`,
      `! touch ${shown}/deep/mine 2>/dev/null`,
      `! echo 2>/dev/null >> ${shown}/deep/program`,
      '! echo 2>/dev/null >> /skein/runner.mjs',
      '! touch /skein/run/mine 2>/dev/null',
      '! touch /mine 2>/dev/null',
      'echo $(id -u)',
    ].join(' && ')
    expect(await runIn(sandbox, ['sh', '-c', script])).toMatchObject({ stdout: 'ran\n65532\n', stderr: '' })
    await sandbox.cleanup()
    expect((await direct.ask(Volumes, 'GET', '/volumes')).Volumes?.length ?? 0).toBe(before)
  })

  test('reach this node and nothing else', async () => {
    await using workshop = await openWorkshop(executor)
    const sandbox = await workshop.sandbox()
    const dial = (host: string, port: number) =>
      `require('net').connect({host:'${host}',port:${port},timeout:3000}).on('connect',()=>console.log('open')).on('timeout',()=>process.exit()).on('error',e=>console.log(e.code))`
    const { stdout } = await runIn(sandbox, ['node', '-e', `${dial('192.0.2.1', 80)};${dial('1.1.1.1', 53)}`])
    expect(stdout).toBe('ENETUNREACH\nENETUNREACH\n')
    const named = await runIn(sandbox, ['node', '-e', "require('dns').lookup('example.com', e => console.log(e.code))"])
    expect(named.stdout).toMatch(/^E(AI_AGAIN|NOTFOUND)\n$/)
  })

  test('are ended when they hold more than they may', async () => {
    await using workshop = await openWorkshop(executor)
    const sandbox = await workshop.sandbox({ limits: { ...LIMITS, diskBytes: 2 ** 20 } })
    const { exit } = await runIn(sandbox, ['sh', '-c', 'head -c 5000000 /dev/zero > big; sleep 60'])
    expect(exit).toEqual({ reason: 'limit', limit: 'disk' })
    // Nobody wants a work tree that is too large, and its coming would be another failure.
    await sandbox.end()
  })

  test('are not made where there is no such network, or one that leads out', async () => {
    expect(await open({ network: 'skein-none' }).probe()).toMatchObject({
      available: false,
      detail: expect.stringContaining('has no network skein-none'),
      remedy: expect.stringContaining('--internal --disable-dns skein-none'),
    })
    expect(await open({ network: 'podman' }).probe()).toMatchObject({
      available: false,
      detail: expect.stringContaining('is not internal'),
    })
    const named = `${lab.network}-names`
    await execute(podman, ['run', 'network', 'create', '--internal', named])
    life.defer(async () => void (await execute(podman, ['run', 'network', 'rm', '--force', named])))
    expect(await open({ network: named }).probe()).toMatchObject({
      available: false,
      detail: expect.stringContaining('resolves names'),
      remedy: expect.stringContaining('--disable-dns'),
    })
  })

  test('what cannot be shown there is refused before anything is made', async () => {
    await using workshop = await openWorkshop(executor)
    await expect(workshop.sandbox({ readOnly: ['/etc'] })).rejects.toMatchObject({ code: 'failed' })
    await expect(workshop.sandbox({ workTree: '/nothing/here' })).rejects.toMatchObject({ code: 'failed' })
  })

  test('are made by the calls that the proxy of deploy/compose.yaml lets through, and it lets through no other', async () => {
    await using mine = new Lifetime()
    const directory = await mkdtemp(join(tmpdir(), 'skein-list-'))
    mine.defer(() => rm(directory, { recursive: true }))
    await writeFile(join(directory, 'hello'), 'hello\n')
    await execute('tar', ['-C', directory, '-cf', join(directory, 'layer.tar'), 'hello'])
    const registry = await openRegistry(join(directory, 'layer.tar'))
    mine.defer(async () => registry[Symbol.asyncDispose]())
    const fresh = open()
    await fresh.capacity()
    await fresh.reap([])
    {
      await using workshop = await openWorkshop(fresh)
      await workshop.sandbox()
      await fresh.workloads()
    }
    const name = `${registry.host}/skein/listed:1`
    const file = join(directory, 'pulled-images.json')
    const images = createPulledImages({ file, mostBytes: 0, now: () => 1 })
    await images.used(await haveImage(lab.engine, name, 'missing', {}))
    await images.tidy(lab.engine)
    expect(lab.refused).toEqual([])
    expect(lab.unused()).toEqual([])
  })
})
