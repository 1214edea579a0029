import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createEngine, Nothing } from '#server/executors/container/engine.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import {
  containerSettings,
  isLabEngine,
  openContainerExecutor,
  openWorkshop,
  runIn,
  whyNoContainers,
} from './executor-workshop.ts'

const podman = fileURLToPath(new URL('../lab/podman/podman', import.meta.url))
const missing = await whyNoContainers()

/** Serves the API of the same Podman with another default runtime. @returns its socket */
async function serve(life: Lifetime, runtime: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-runtime-'))
  const socket = join(directory, 'engine.sock')
  const env = { ...process.env, LAB_PODMAN_RUNTIME: runtime }
  const child = spawn(podman, ['run', 'system', 'service', '--time=0', `unix://${socket}`], { stdio: 'ignore', env })
  life.defer(async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    await rm(directory, { recursive: true })
  })
  const answers = () => createEngine(socket).ask(Nothing, 'GET', '/version')
  await expect
    .poll(() =>
      answers().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
  return socket
}

// What is called krun in the lab is runc: these are about which runtime a container gets, not about what one does.
describe.skipIf(missing || !isLabEngine)('runtimes that make virtual machines', () => {
  test('one that Podman knows of but would not use is none', async () => {
    const executor = openContainerExecutor()
    expect(await executor.probe()).toMatchObject({ isolation: 'container', levels: ['container'] })
    await using workshop = await openWorkshop(executor)
    await expect(workshop.sandbox({ level: 'vm' })).rejects.toMatchObject({ code: 'unavailable' })
    const wanting = openContainerExecutor({ settings: { ...containerSettings(), runtime: 'krun' } })
    await expect(wanting.prepare(await workshop.spec())).rejects.toMatchObject({
      code: 'unavailable',
      message: 'Podman cannot be asked for the runtime krun, only for runc',
    })
  })

  test('one that is its default is what a sandbox gets, and says', async () => {
    await using life = new Lifetime()
    const socket = await serve(life, 'krun')
    const executor = openContainerExecutor({ settings: { ...containerSettings(), socket } })
    expect(await executor.probe()).toMatchObject({ isolation: 'vm', levels: ['vm'] })
    await using workshop = await openWorkshop(executor)
    const sandbox = await workshop.sandbox({ level: 'vm' })
    expect(sandbox.isolation).toBe('vm')
    expect((await runIn(sandbox, ['true'])).exit).toEqual({ reason: 'exit', code: 0 })
  })
})
