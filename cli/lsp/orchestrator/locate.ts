import { resolveConfig } from '#server/config.ts'
import type { Client } from '#shared/contract/index.ts'
import { connect, connectTo, readToken, runningServer } from '../../connect.ts'
import { CliError, EXIT } from '../../exit-codes.ts'
import type { World } from '../../world.ts'
import { logFileOf, startServer } from './start.ts'

/** A server that answers. */
export interface Located {
  readonly url: string
  readonly token: string | null
  readonly client: Client
  readonly version: string
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

/** Finds the server that was named, or the one of this user, which is started where none runs. @throws {CliError} {ApiError} */
export async function locate(world: Pick<World, 'env' | 'cwd'>, options: LocateOptions, signal: AbortSignal): Promise<Located> {
  if (options.address !== null) return await named(world, options, options.address)
  const { config } = resolveConfig({
    flags: { dataDir: options.dataDir ?? undefined, config: options.config ?? undefined },
    env: world.env,
    cwd: world.cwd,
  })
  const { dataDir } = config
  const running = await runningServer(dataDir)
  if (running) {
    const found = await local(running.url, dataDir).catch(() => null)
    if (found) return found
  }
  if (!options.start)
    throw new CliError(EXIT.unavailable, `No Skein server is running here (data directory ${dataDir}).`, {
      remedy: 'Start one with `skein serve`.',
    })
  const started = await startServer({ dataDir, config: options.config, address: config.api, env: world.env, cwd: world.cwd, signal })
  return await local(started.url, dataDir)
}

async function named(world: Pick<World, 'env' | 'cwd'>, options: LocateOptions, address: string): Promise<Located> {
  const found = await connect(world, {
    url: address,
    ...(options.token === null ? {} : { token: options.token }),
    ...(options.dataDir === null ? {} : { dataDir: options.dataDir }),
  })
  await found.client.ready()
  const { version } = await found.client.health()
  return { ...found, version, isLocal: false, logFile: null }
}

async function local(url: string, dataDir: string): Promise<Located> {
  const found = connectTo(url, await readToken(dataDir))
  const { version } = await found.client.health()
  return { ...found, version, isLocal: true, logFile: logFileOf(dataDir) }
}
