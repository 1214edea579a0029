import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Sandbox } from '#server/executors/index.ts'
import { processExecutor } from '#server/executors/process/index.ts'
import { systemClock } from '#server/lib/clock.ts'
import { bareSandbox } from './bare-sandbox.ts'
import { defineBench, type SideContext } from './bench.ts'

const WARM_UP = 5
const ROUNDS = 30
const limits = { memoryBytes: 2 ** 30, cpuSeconds: 60, processes: 200, fileBytes: 2 ** 28, diskBytes: 2 ** 30, logBytes: 2 ** 20 }

/** Median ms of one round. */
async function median(round: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let index = -WARM_UP; index < ROUNDS; index++) {
    const start = performance.now()
    await round()
    if (index >= 0) times.push(performance.now() - start)
  }
  return times.sort((one, other) => one - other)[ROUNDS / 2] ?? Number.NaN
}

function product({ directory }: SideContext) {
  const log = { warn() {} }
  const executor = processExecutor({
    nodeId: `bench${process.pid}`,
    directory: join(directory, 'executor'),
    relayFile: '/nowhere',
    graceMs: 1000,
    clock: systemClock,
    log,
  })
  let count = 0
  return async (): Promise<Sandbox> => {
    const workTree = join(directory, `work${++count}`)
    await mkdir(workTree)
    const scratch = join(directory, `scratch${count}`)
    const id = `bench-${process.pid}-${count}`
    return executor.prepare({ id, workTree, scratch, readOnly: [], env: {}, limits, gatewaySocket: null, isolation: 'sandbox' })
  }
}

async function runTrue(sandbox: Sandbox): Promise<void> {
  const program = await sandbox.start({ argv: ['/usr/bin/true'], stdin: 'none', network: false })
  program.stdout.resume()
  program.stderr.resume()
  const exit = await program.wait()
  if (exit.reason !== 'exit' || exit.code !== 0) throw new Error(`true failed: ${JSON.stringify(exit)}`)
}

async function startInPrepared(context: SideContext, delayMs = 0): Promise<number> {
  const sandbox = await product(context)()
  context.defer(() => sandbox.cleanup())
  return median(async () => {
    if (delayMs > 0) await setTimeout(delayMs)
    await runTrue(sandbox)
  })
}

async function wholeSandbox(context: SideContext, delayMs = 0): Promise<number> {
  const prepare = product(context)
  return median(async () => {
    if (delayMs > 0) await setTimeout(delayMs)
    const sandbox = await prepare()
    await runTrue(sandbox)
    await sandbox.cleanup()
  })
}

/** The isolation flags of the product over the fewest mounts a program can run with; no limits, no filter, no clean /etc. */
async function bare({ directory }: SideContext): Promise<number> {
  const argv = bareSandbox(directory)
  return median(async () => {
    const child = spawn('bwrap', argv, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } })
    child.stdout.resume()
    child.stderr.resume()
    const code = await new Promise(resolve => child.once('close', resolve))
    if (code !== 0) throw new Error(`bwrap failed: ${code}`)
  })
}

const b = { what: 'bubblewrap with the same isolation flags and the fewest mounts', run: bare }
const note = 'The product adds limits, a seccomp filter, a synthesised /etc and private directories.'

export default defineBench(
  {
    name: 'spawn',
    unit: 'ms',
    a: { what: 'start of /usr/bin/true in a prepared sandbox, to its end', run: context => startInPrepared(context) },
    b,
    planted: { what: '10 ms before each start', run: context => startInPrepared(context, 10) },
    bar: { atMost: 2 },
    note,
  },
  {
    name: 'sandbox',
    unit: 'ms',
    a: { what: 'a sandbox prepared, /usr/bin/true run in it, and all cleaned up', run: context => wholeSandbox(context) },
    b,
    planted: { what: '20 ms before each', run: context => wholeSandbox(context, 20) },
    bar: { atMost: 4 },
    note,
  },
)
