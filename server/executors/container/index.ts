import { kill } from '#server/lib/process-identity.ts'
import type { Executor } from '../index.ts'
import type { Containers } from './containers.ts'
import type { ContainerExecutorDeps } from './deps.ts'
import { findEngine } from './find-engine.ts'

export type { ContainerExecutorDeps } from './deps.ts'

/**
 * Sandboxes out of containers of an engine that serves the Docker Engine API. Nothing of it is loaded, and nobody asked,
 * before the first question; where there is no engine, an earlier run of this node left nothing.
 */
export function containerExecutor(deps: ContainerExecutorDeps): Executor {
  const { settings, env } = deps
  let opened: Promise<Containers> | null = null
  const open = () => {
    opened ??= import('./containers.ts').then(({ openContainers }) => openContainers(deps))
    return opened
  }
  const isThere = () => {
    const found = settings.socket === 'off' ? null : findEngine({ env, socket: settings.socket })
    return found !== null && !('problem' in found)
  }

  return {
    kind: 'container',
    programs: 'image',
    probe: async () => (await open()).probe(),
    capacity: async () => (await open()).capacity(),
    prepare: async (spec, signal) => (await open()).prepare(spec, signal),
    workloads: async () => (await open()).workloads(),
    async reap(recorded) {
      const killed = recorded.filter(identity => kill(identity, 'SIGKILL')).length
      return killed + (isThere() ? await (await open()).reap() : 0)
    },
    close: async () => void (await opened)?.close(),
  }
}
