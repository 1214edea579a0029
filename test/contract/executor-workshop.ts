import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import { type ContainerExecutorDeps, containerExecutor } from '#server/executors/container/index.ts'
import type { Executor, Exit, Sandbox, SandboxSpec, StartOptions } from '#server/executors/index.ts'
import { type ProcessExecutorDeps, processExecutor } from '#server/executors/process/index.ts'
import { insideProgram } from '#server/lib/built.ts'
import { systemClock } from '#server/lib/clock.ts'
import { ContainerConfig, type Limits } from '#shared/model/index.ts'

/** Enough for anything a test does that is not about limits. */
export const LIMITS: Limits = {
  memoryBytes: 2 ** 30,
  cpuSeconds: 60,
  processes: 200,
  fileBytes: 2 ** 28,
  diskBytes: 2 ** 30,
  logBytes: 2 ** 20,
}

export interface Output {
  readonly stdout: string
  readonly stderr: string
  readonly exit: Exit
}

/** Makes sandboxes in a directory of its own, and takes everything away at the end. */
export interface Workshop extends AsyncDisposable {
  readonly executor: Executor
  readonly directory: string
  spec(changes?: Partial<SandboxSpec>): Promise<SandboxSpec>
  sandbox(changes?: Partial<SandboxSpec>): Promise<Sandbox>
}

export async function openWorkshop(executor: Executor): Promise<Workshop> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'skein-executor-')))
  const made: Sandbox[] = []
  let count = 0
  const spec = async (changes: Partial<SandboxSpec> = {}): Promise<SandboxSpec> => {
    const id = `test-${process.pid}-${++count}`
    const workTree = join(directory, id, 'work')
    await mkdir(workTree, { recursive: true })
    const scratch = join(directory, id, 'scratch')
    return { id, workTree, scratch, readOnly: [], env: {}, limits: LIMITS, gatewaySocket: null, isolation: 'sandbox', ...changes }
  }
  return {
    executor,
    directory,
    spec,
    async sandbox(changes) {
      const sandbox = await executor.prepare(await spec(changes))
      made.push(sandbox)
      return sandbox
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(made.map(sandbox => sandbox.cleanup()))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Runs one program to its end. */
export async function runIn(sandbox: Sandbox, argv: readonly string[], options: Partial<StartOptions> = {}): Promise<Output> {
  const program = await sandbox.start({ argv, stdin: 'none', network: false, ...options })
  const [stdout, stderr, exit] = await Promise.all([text(program.stdout), text(program.stderr), program.wait()])
  return { stdout, stderr, exit }
}

/** The executor as a server has it, with the relay bundled from its source. */
export async function openProcessExecutor(
  changes: Partial<ProcessExecutorDeps> = {},
): Promise<{ executor: Executor; close(): Promise<void> }> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'skein-relay-')))
  const relayFile = join(directory, 'relay.mjs')
  const entry = new URL('../../server/executors/process/inside/relay.ts', import.meta.url).pathname
  await build({ entryPoints: [entry], outfile: relayFile, bundle: true, platform: 'node', format: 'esm', target: 'node22' })
  const log = { warn() {} }
  const executor = processExecutor({
    nodeId: `test-${process.pid}`,
    directory,
    relayFile,
    graceMs: 500,
    clock: systemClock,
    log,
    ...changes,
  })
  return {
    executor,
    async close() {
      await executor.close()
      await rm(directory, { recursive: true })
    },
  }
}

/** @returns why sandboxes cannot be made here, for `describe.skipIf`; printed, so that nothing is skipped in silence. */
export async function whyNoSandbox(executor: Executor): Promise<string | null> {
  const { available, detail, remedy } = await executor.probe()
  if (available) return null
  console.warn(`Skipped: ${detail}. ${remedy ?? ''}`)
  return detail
}

const labState = process.env.LAB_PODMAN ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'skein', 'lab-podman')
const labSocket = join(labState, 'podman.sock')
/** Of the engine that tests use: the one that SKEIN_TEST_ENGINE names by its socket, else that of test/lab/podman where it is up. */
export const ENGINE: string | null = process.env.SKEIN_TEST_ENGINE ?? (existsSync(labSocket) ? labSocket : null)
/** Whether that is the one of test/lab/podman, whose parts a test may stop. */
export const isLabEngine = ENGINE === labSocket
/** What test/lab/image/base makes. */
export const LAB_IMAGE = 'localhost/skein-base:24'

/** Settings of a node whose jobs may run in containers of the tests' engine. */
export const CONTAINER_SETTINGS = { socket: ENGINE ?? 'off', image: LAB_IMAGE, pull: 'never', imageBytes: 2 ** 40 } as const
export const containerSettings = (changes: Partial<ContainerConfig> = {}): ContainerConfig =>
  ContainerConfig.parse({ ...CONTAINER_SETTINGS, ...changes })

/** The executor for containers, with the engine of the tests. */
export function openContainerExecutor(changes: Partial<ContainerExecutorDeps> = {}): Executor {
  return containerExecutor({
    nodeId: `test-${process.pid}`,
    directory: join(tmpdir(), `skein-test-${process.pid}`),
    runnerFile: insideProgram('runner'),
    graceMs: 500,
    clock: systemClock,
    env: {},
    log: { warn() {} },
    settings: containerSettings(),
    ...changes,
  })
}

/** @returns why there are no containers to test with; printed, so that nothing is skipped in silence. */
export async function whyNoContainers(): Promise<string | null> {
  if (ENGINE !== null) return whyNoSandbox(openContainerExecutor())
  const detail =
    'There is no container engine to test with: `test/lab/podman/podman up` starts one, SKEIN_TEST_ENGINE names another'
  console.warn(`Skipped: ${detail}`)
  return detail
}
