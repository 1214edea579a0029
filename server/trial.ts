import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Executor, SandboxError } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import { DEFAULT_LIMITS } from '#shared/model/index.ts'

/** What came of a sandbox that was made to see whether one can be. */
export interface Trial {
  readonly ok: boolean
  readonly detail: string
  readonly remedy: string | null
}

/** Makes a sandbox, runs a program in it, and removes it: that tells of images, limits, and of the way home from where it is. */
export async function tryExecutor(executor: Executor, clock: Clock): Promise<Trial> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-try-'))
  const workTree = join(directory, 'work')
  const started = clock.monotonic()
  const seconds = () => `${((clock.monotonic() - started) / 1000).toFixed(1)} s`
  try {
    await mkdir(workTree)
    const sandbox = await executor.prepare({
      id: `try-${process.pid}`,
      workTree,
      scratch: join(directory, 'scratch'),
      readOnly: [],
      env: {},
      limits: DEFAULT_LIMITS,
      gatewaySocket: null,
      isolation: 'sandbox',
    })
    try {
      const program = await sandbox.start({ argv: ['/bin/sh', '-c', 'echo here'], stdin: 'none', network: false })
      program.stderr.resume()
      const [said, exit] = await Promise.all([text(program.stdout), program.wait()])
      const ok = said === 'here\n' && exit.reason === 'exit' && exit.code === 0
      return {
        ok,
        detail: ok ? `a program ran in a new one after ${seconds()}` : `a program in it ended by ${JSON.stringify(exit)}`,
        remedy: null,
      }
    } finally {
      await sandbox.cleanup()
    }
  } catch (error) {
    return {
      ok: false,
      detail: (error as Error).message,
      remedy: error instanceof SandboxError ? (error.remedy ?? null) : null,
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
