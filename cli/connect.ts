import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { resolveConfig } from '#server/config.ts'
import { type Client, createClient, type Response_ } from '#shared/contract/index.ts'
import { CliError, EXIT } from './exit-codes.ts'
import type { World } from './world.ts'

/** How to reach a server; every command takes these. */
export interface ConnectionOptions {
  readonly url?: string
  readonly token?: string
  readonly dataDir?: string
  readonly config?: string
}

export interface Connection {
  /** Without a slash at the end. */
  readonly url: string
  readonly token: string | null
  readonly client: Client
}

/** What `serve` leaves in its data directory while it runs. */
const ServerFile = z.looseObject({
  url: z.url(),
  pid: z.int().min(1),
  version: z.string(),
  /** Where it writes its log, if that is a file of the data directory. */
  logFile: z.string().nullish(),
})
export type ServerFile = z.infer<typeof ServerFile>

export async function dataDirectory({ env, cwd }: Pick<World, 'env' | 'cwd'>, options: ConnectionOptions): Promise<string> {
  const { config } = await resolveConfig({ flags: { dataDir: options.dataDir, config: options.config }, env, cwd })
  return config.dataDir
}

/** The server that runs on a data directory, or null. */
export async function runningServer(dataDir: string): Promise<ServerFile | null> {
  const text = await readFile(join(dataDir, 'server.json'), 'utf8').catch(() => null)
  if (text === null) return null
  const parsed = ServerFile.safeParse(parseJson(text))
  // A file left by a crash may name a port that somebody else has by now, who must not be sent the token.
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : null
}

/** The token of a data directory, or null. */
export async function readToken(dataDir: string): Promise<string | null> {
  return (await readFile(join(dataDir, 'token'), 'utf8').catch(() => null))?.trim() || null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/**
 * Finds a server: `--url` and `--token`, else SKEIN_URL and SKEIN_TOKEN, else what `serve` left in the data directory. The
 * node's own token is sent to this machine only.
 * @throws {CliError} when none is running here.
 */
export async function connect(world: Pick<World, 'env' | 'cwd'>, options: ConnectionOptions): Promise<Connection> {
  const given = options.url ?? world.env.SKEIN_URL
  const givenToken = options.token || world.env.SKEIN_TOKEN || null
  if (given) {
    if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol)) {
      throw new CliError(EXIT.usage, `"${given}" is not the URL of a server; it looks like http://127.0.0.1:8080.`)
    }
    const token = givenToken ?? (isLoopback(given) ? await readToken(await dataDirectory(world, options)) : null)
    return connectTo(given, token)
  }
  const dataDir = await dataDirectory(world, options)
  const server = await runningServer(dataDir)
  if (!server) throw noServer(dataDir)
  return connectTo(server.url, givenToken ?? (await readToken(dataDir)))
}

const isLoopback = (url: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)

const noServer = (dataDir: string): CliError =>
  new CliError(EXIT.unavailable, `No Skein server is running here (data directory ${dataDir}).`, {
    remedy: 'Start one with `skein serve`, or name another with --url and --token.',
  })

/** A server at an address, asked for nothing yet. */
export function connectTo(given: string, token: string | null): Connection {
  const url = given.replace(/\/+$/, '')
  /** A server may go away at any time, in the middle of an answer too. */
  const asking = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'AbortError') throw cause
      throw cause instanceof SyntaxError ? noNode(url, cause) : unreachable(url, cause)
    }
  }
  const carrier = async (path: string, init: object): Promise<Response_> => {
    const answer = await asking(() => fetch(url + path, { ...init, redirect: 'error' }))
    return {
      ok: answer.ok,
      status: answer.status,
      headers: answer.headers,
      body: answer.body,
      json: () => asking(() => answer.json()),
      text: () => asking(() => answer.text()),
      arrayBuffer: () => asking(() => answer.arrayBuffer()),
    }
  }
  return { url, token, client: createClient(carrier, token) }
}

const noNode = (url: string, cause: Error): CliError =>
  new CliError(EXIT.unavailable, `What answers at ${url} is not a Skein server.`, {
    remedy: 'Is the address right, and its port? `skein serve` says it when it is ready.',
    cause,
  })

function unreachable(url: string, cause: unknown): CliError {
  const reason = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause)
  return new CliError(EXIT.unavailable, `The Skein server at ${url} cannot be reached: ${reason || 'connection refused'}.`, {
    remedy: 'Is it running? `skein doctor` tells; `skein serve` starts one.',
    cause,
  })
}
