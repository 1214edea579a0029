import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Lifetime } from '#server/lib/lifetime.ts'
import { VERSION } from '#server/lib/version.ts'
import { lockDataDirectory } from '#server/store/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import type { Config } from '#shared/model/index.ts'
import { compose } from './compose.ts'
import type { Environment } from './config.ts'
import { clearRuntimeDirectory, openDataDirectory } from './data-directory.ts'

/** A server that accepts jobs. */
export interface Server {
  readonly url: string
  /** Takes no more work, ends or hands back what runs, and frees everything. May be called again. */
  close(): Promise<void>
}

/** How long callers may finish what they asked for when the server stops, ms. */
const CLOSE_MS = 5_000

/** Starts the orchestrator; fulfils when it is ready. @throws {StoreError} {Error} when the data directory cannot be used or the port is taken. */
export async function serve({ config, env }: { config: Config; env: Environment }): Promise<Server> {
  const life = new Lifetime()
  try {
    const log = createLog(config.log.level)
    const lock = await lockDataDirectory(config.dataDir)
    life.defer(() => lock.release())
    const directory = await openDataDirectory(config.dataDir)
    await clearRuntimeDirectory(directory)
    life.defer(() => rm(directory.runtime, { recursive: true, force: true }))
    const { api, stream, jobs, peers } = await compose({ config, env, directory, log, life })
    // Health answers from the first moment; /ready does once recovery is done.
    const { url } = await api.listen()
    life.defer(() => api.close(CLOSE_MS))
    life.defer(() => stream.close())
    life.defer(() => jobs.stop())
    await jobs.start()
    life.defer(() => peers.stop())
    const address = join(directory.data, 'server.json')
    await writeFile(address, JSON.stringify({ url, pid: process.pid, version: VERSION }), { mode: 0o600 })
    life.defer(() => rm(address, { force: true }))
    log.info({ url, version: VERSION }, 'Ready')
    let closing: Promise<void> | null = null
    // Whoever started this node waits for it no longer than it takes to be ready.
    setImmediate(() => {
      if (closing) return
      peers.start()
      api.warm().catch(error => log.error({ err: error }, 'What answers requests could not be loaded; start the node again'))
    })
    return {
      url,
      close: () => {
        closing ??= life[Symbol.asyncDispose]()
        return closing
      },
    }
  } catch (error) {
    await life[Symbol.asyncDispose]().catch(() => {})
    throw error
  }
}
