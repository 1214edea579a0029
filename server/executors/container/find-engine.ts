import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'

export interface EnginePlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home?: string
  /** From the settings: a path, or `unix://` and a path. */
  readonly socket?: string | undefined
}

const SCHEME = 'unix://'

/**
 * Where the socket of a container engine is: as set, as `DOCKER_HOST` says, by the current context of the docker command, else the first that
 * is there of those that Docker, Podman, Colima and Rancher Desktop use.
 * @returns null when there is none; an engine on another machine is none, since it cannot see our directories
 */
export function findEngineSocket({ env, home = homedir(), socket }: EnginePlaces): string | null {
  if (socket !== undefined) return socket.startsWith(SCHEME) ? socket.slice(SCHEME.length) : socket
  const named = env.DOCKER_HOST || contextHost(env.DOCKER_CONFIG ?? join(home, '.docker'), env.DOCKER_CONTEXT)
  if (named) return named.startsWith(SCHEME) ? named.slice(SCHEME.length) : null
  const run = env.XDG_RUNTIME_DIR
  const usual = [
    '/var/run/docker.sock',
    ...(run ? [join(run, 'docker.sock'), join(run, 'podman/podman.sock')] : []),
    '/run/podman/podman.sock',
    join(home, '.docker/run/docker.sock'),
    join(home, '.colima/default/docker.sock'),
    join(home, '.rd/docker.sock'),
  ]
  return usual.find(isSocket) ?? null
}

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
