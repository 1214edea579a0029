import { fstatSync } from 'node:fs'
import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Api } from '#server/api/index.ts'
import { isSourceTree } from '#server/lib/built.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { VERSION } from '#server/lib/version.ts'
import { lockDataDirectory } from '#server/store/index.ts'
import { createLog, type Log } from '#server/telemetry/index.ts'
import type { Config } from '#shared/model/index.ts'
import { compose } from './compose.ts'
import type { Environment } from './config.ts'
import { clearRuntimeDirectory, openDataDirectory } from './data-directory.ts'

/** A server that accepts jobs. */
export interface Server {
  readonly url: string
  /** The same at `web.port`; null when it is not listened on. */
  readonly webUrl: string | null
  /** Takes no more work, ends or hands back what runs, and frees everything. May be called again. */
  close(): Promise<void>
}

/** Where the pages are while Skein itself is developed, and the port of the API that goes with it. */
const DEVELOPMENT = { webPort: 3000, apiPort: 8080 }

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
    const webUrl = await listenForPages(api, config, log)
    life.defer(() => stream.close())
    life.defer(() => jobs.stop())
    await jobs.start()
    life.defer(() => peers.stop())
    const address = join(directory.data, 'server.json')
    const logFile = await fileOfStderr(join(directory.data, 'server.log'))
    await writeFile(address, JSON.stringify({ url, pid: process.pid, version: VERSION, logFile }), { mode: 0o600 })
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
      webUrl,
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

/**
 * The pages, and the API with them, at a port of their own. Nobody asked for the one of development: without it the node starts as well.
 * @throws {Error} when `web.port` was asked for and cannot be had
 */
async function listenForPages(api: Api, { web, api: { port } }: Config, log: Log): Promise<string | null> {
  if (web.port !== undefined) return api.listenAlso(web.port)
  if (port !== DEVELOPMENT.apiPort || !isSourceTree()) return null
  return api.listenAlso(DEVELOPMENT.webPort).catch(error => {
    log.warn({ err: error }, 'The pages are at the address of the API only')
    return null
  })
}

const STDERR = 2

/** @returns the path when what this process writes on stderr goes to that file, else null */
async function fileOfStderr(path: string): Promise<string | null> {
  const file = await stat(path).catch(() => null)
  if (!file) return null
  const { dev, ino } = fstatSync(STDERR)
  return dev === file.dev && ino === file.ino ? path : null
}
