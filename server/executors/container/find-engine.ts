import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface EnginePlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home?: string
  /** From the settings. */
  readonly socket?: string | undefined
}

/**
 * Where the socket of a container engine is: as set, as `DOCKER_HOST` says, by the current context of the docker command, else the first that
 * is there of those that Docker, Podman, Colima and Rancher Desktop use.
 * @returns null when there is none; an engine on another machine is none, since it cannot see our directories
 */
export function findEngineSocket({ env, home = homedir(), socket }: EnginePlaces): string | null {
  if (socket !== undefined) return socket
  const named = env.DOCKER_HOST || contextHost(env.DOCKER_CONFIG ?? join(home, '.docker'), env.DOCKER_CONTEXT)
  if (named) return named.startsWith('unix://') ? named.slice('unix://'.length) : null
  const run = env.XDG_RUNTIME_DIR
  const usual = [
    '/var/run/docker.sock',
    ...(run ? [join(run, 'docker.sock'), join(run, 'podman/podman.sock')] : []),
    '/run/podman/podman.sock',
    join(home, '.docker/run/docker.sock'),
    join(home, '.colima/default/docker.sock'),
    join(home, '.rd/docker.sock'),
  ]
  return usual.find(path => statSync(path, { throwIfNoEntry: false })?.isSocket()) ?? null
}

/** Of the docker command's context that is in use; undefined for its default one, or when its files say something else. */
function contextHost(directory: string, chosen: string | undefined): string | undefined {
  try {
    const name =
      chosen ?? (JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as { currentContext?: string }).currentContext
    if (!name || name === 'default') return undefined
    const file = join(directory, 'contexts/meta', createHash('sha256').update(name).digest('hex'), 'meta.json')
    const host = (JSON.parse(readFileSync(file, 'utf8')) as { Endpoints?: { docker?: { Host?: unknown } } }).Endpoints?.docker
      ?.Host
    return typeof host === 'string' ? host : undefined
  } catch {
    return undefined
  }
}
