import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'

export interface EnginePlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home?: string
  /** From the settings: a path, `unix://` and a path, or `tcp://` and a host. */
  readonly socket?: string | undefined
}

/** Where an engine listens. */
export type EngineAddress =
  | { readonly socket: string }
  | { readonly host: string; readonly port: number }
  /** Named, and nothing that can be used. */
  | { readonly problem: string; readonly remedy: string }

/**
 * Where a container engine is: as set, as `DOCKER_HOST` says, by the current context of the docker command, else at the first socket that
 * is there of those that Docker, Podman, Colima and Rancher Desktop use.
 * @returns null when there is none
 */
export function findEngine({ env, home = homedir(), socket }: EnginePlaces): EngineAddress | null {
  if (socket !== undefined) return addressOf(socket, env)
  const named = env.DOCKER_HOST || contextHost(env.DOCKER_CONFIG ?? join(home, '.docker'), env.DOCKER_CONTEXT)
  if (named) return addressOf(named, env)
  const run = env.XDG_RUNTIME_DIR
  const usual = [
    '/var/run/docker.sock',
    ...(run ? [join(run, 'docker.sock'), join(run, 'podman/podman.sock')] : []),
    '/run/podman/podman.sock',
    join(home, '.docker/run/docker.sock'),
    join(home, '.colima/default/docker.sock'),
    join(home, '.rd/docker.sock'),
  ]
  const there = usual.find(isSocket)
  return there === undefined ? null : { socket: there }
}

const DEFAULT_PORT = 2375

function addressOf(named: string, env: EnginePlaces['env']): EngineAddress {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(named) ?? []
  if (scheme === undefined) return { socket: named }
  if (scheme === 'unix') return { socket: rest }
  const unusable = (problem: string) => ({
    problem: `The container engine at ${named} cannot be used: ${problem}`,
    remedy: USABLE,
  })
  if (scheme !== 'tcp') return unusable(`${scheme}:// is not spoken here`)
  // Silently without what was asked for is worse than not at all.
  if (env.DOCKER_TLS_VERIFY || env.DOCKER_TLS) return unusable('engines behind TLS are not spoken with')
  const url = URL.parse(`http://${rest}`)
  if (!url || url.hostname === '' || url.pathname !== '/' || url.search !== '' || url.username !== '')
    return unusable('that is no tcp://HOST:PORT')
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || DEFAULT_PORT) }
}

const USABLE =
  'Name a socket, or an engine without TLS by tcp://HOST:PORT, such as a proxy on a network of its own (docs/guides/docker.md).'

function isSocket(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false
  } catch {
    // In a directory that this user may not look into.
    return false
  }
}

const Settings = z.object({ currentContext: z.string().optional() })
const Context = z.object({ Endpoints: z.object({ docker: z.object({ Host: z.string() }) }) })

/** Of the docker command's context that is in use; undefined for its default one, or when its files say something else. */
function contextHost(directory: string, chosen: string | undefined): string | undefined {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(directory, file), 'utf8'))
  try {
    const name = chosen || Settings.parse(read('config.json')).currentContext
    if (!name || name === 'default') return undefined
    const folder = createHash('sha256').update(name).digest('hex')
    return Context.parse(read(join('contexts/meta', folder, 'meta.json'))).Endpoints.docker.Host
  } catch {
    return undefined
  }
}
