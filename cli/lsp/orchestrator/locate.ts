import { resolveConfig } from '#server/config.ts'
import type { Client } from '#shared/contract/index.ts'
import { connect, connectTo, readToken, runningServer } from '../../connect.ts'
import { CliError, EXIT } from '../../exit-codes.ts'
import type { World } from '../../world.ts'
import { startServer } from './start.ts'

/** How long a server may take to say that it lives, ms. */
const HEALTH_MS = 10_000

/** A server that answers. */
export interface Located {
  /** Without a slash at the end. */
  readonly url: string
  readonly token: string | null
  readonly client: Client
  readonly version: string
  /** Whether it was found by its data directory. */
  readonly isLocal: boolean
  readonly logFile: string | null
}

export interface LocateOptions {
  readonly address: string | null
  readonly token: string | null
  readonly dataDir: string | null
  readonly config: string | null
  readonly start: boolean
}

type Surroundings = Pick<World, 'env' | 'cwd'>

/** Finds the server that was named, or the one of this user, which is started where none runs. @throws {CliError} {ApiError} */
export async function locate(world: Surroundings, options: LocateOptions, signal: AbortSignal): Promise<Located> {
  if (options.address !== null) return await named(world, options, options.address, signal)
  const { config, file } = await settings(world, options)
  const { dataDir } = config
  const find = () => local(dataDir, signal)
  const found = await find()
  if (found) return found
  if (!options.start)
    throw new CliError(EXIT.unavailable, `No Skein server is running here (data directory ${dataDir}).`, {
      remedy: 'Start one with `skein serve`.',
    })
  return await startServer({ dataDir, settings: file, address: config.api, env: world.env, signal }, find)
}

export async function settings({ env, cwd }: Surroundings, { dataDir, config }: Pick<LocateOptions, 'dataDir' | 'config'>) {
  return await resolveConfig({ flags: { dataDir: dataDir ?? undefined, config: config ?? undefined }, env, cwd })
}

async function named(world: Surroundings, options: LocateOptions, address: string, signal: AbortSignal): Promise<Located> {
  const { token, dataDir, config } = options
  const found = await connect(world, {
    url: address,
    ...(token === null ? {} : { token }),
    ...(dataDir === null ? {} : { dataDir }),
    ...(config === null ? {} : { config }),
  })
  const within = { signal: AbortSignal.any([signal, AbortSignal.timeout(HEALTH_MS)]) }
  const { version } = await found.client.health({}, within)
  await found.client.ready({}, within)
  return { ...found, version, isLocal: false, logFile: null }
}

/** The server that runs on a data directory; null when none does, or it says nothing. */
async function local(dataDir: string, signal: AbortSignal): Promise<Located | null> {
  const running = await runningServer(dataDir)
  if (!running) return null
  // Whoever has the port is asked without the token first.
  const health = await connectTo(running.url, null)
    .client.health({}, { signal: AbortSignal.any([signal, AbortSignal.timeout(HEALTH_MS)]) })
    .catch(() => null)
  if (!health) return null
  const found = connectTo(running.url, await readToken(dataDir))
  return { ...found, version: health.version, isLocal: true, logFile: running.logFile ?? null }
}
