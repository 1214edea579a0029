import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Executor } from '#server/executors/index.ts'
import type { SideContext } from './bench.ts'

const limits = { memoryBytes: 2 ** 30, cpuSeconds: 60, processes: 200, fileBytes: 2 ** 28, diskBytes: 2 ** 30, logBytes: 2 ** 20 }

/** Median ms until something started has said its first word; what it leaves is taken away in between. */
export async function medianStart(rounds: number, start: () => Promise<() => Promise<void>>): Promise<number> {
  const times: number[] = []
  for (let index = -1; index < rounds; index++) {
    const begun = performance.now()
    const remove = await start()
    if (index >= 0) times.push(performance.now() - begun)
    await remove()
  }
  return times.sort((one, other) => one - other)[Math.floor(rounds / 2)] ?? Number.NaN
}

/** From the award of an attempt to the first word of its agent. */
export const startIn =
  (executor: Executor, { directory }: Pick<SideContext, 'directory'>, delayMs = 0) =>
  async () => {
    if (delayMs > 0) await pause(delayMs)
    const id = `bench-${process.pid}-${Math.floor(performance.now() * 1000)}`
    const workTree = join(directory, id)
    await mkdir(workTree)
    const scratch = join(directory, `${id}-scratch`)
    const sandbox = await executor.prepare({
      ...{ id, workTree, scratch, readOnly: [], env: {}, limits, gatewaySocket: null, isolation: 'sandbox', isTreeWanted: false },
    })
    const program = await sandbox.start({ argv: ['echo', 'begun'], stdin: 'none', network: false })
    program.stderr.resume()
    await once(program.stdout, 'data')
    program.stdout.resume()
    return async () => {
      await program.wait()
      await sandbox.cleanup()
    }
  }
