import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ENGINE, LAB_IMAGE, openContainerExecutor } from '../contract/executor-workshop.ts'
import { defineBench, type SideContext } from './bench.ts'
import { medianStart, startIn } from './sandbox-start.ts'

const ROUNDS = 7
const podman = fileURLToPath(new URL('../lab/podman/podman', import.meta.url))

async function product(context: SideContext, delayMs = 0): Promise<number> {
  const executor = openContainerExecutor({ nodeId: `bench-${process.pid}`, directory: `${context.directory}/executor` })
  context.defer(() => executor.close())
  return medianStart(ROUNDS, startIn(executor, context, delayMs))
}

/** Without a network and under the same user, as those of the product; no limits, no filter of its own, nothing mounted. */
const bare = (): Promise<number> =>
  medianStart(ROUNDS, async () => {
    const flags = ['--rm', '--network', 'none', '--read-only', '--user', '10001', '--cap-drop', 'all']
    const child = spawn(podman, ['run', 'run', ...flags, LAB_IMAGE, 'echo', 'begun'], { stdio: ['ignore', 'pipe', 'ignore'] })
    await once(child.stdout, 'data')
    return async () => {
      if (child.exitCode === null) await once(child, 'exit')
    }
  })

export default defineBench({
  name: 'container-start',
  unit: 'ms',
  a: { what: 'award of an attempt to the first word of its agent in a container of Podman', run: context => product(context) },
  b: { what: '`podman run` of the same image without a network, to its first word', run: bare },
  planted: { what: '300 ms before each', run: context => product(context, 300) },
  bar: { atMost: 1.3 },
  missing: () => spawnSync(podman, ['why'], { encoding: 'utf8' }).stdout.trim() || null,
  async prepare() {
    const wasUp = ENGINE !== null && existsSync(ENGINE)
    execFileSync(podman, ['up'], { stdio: 'ignore' })
    return async () => {
      if (!wasUp) execFileSync(podman, ['down'], { stdio: 'ignore' })
    }
  },
  note: "The product's container has limits, a filter of system calls and volumes; its runner starts Node.js, dials home and starts the agent.",
})
