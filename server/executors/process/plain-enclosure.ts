import { join } from 'node:path'
import { SandboxError, type SandboxSpec } from '../index.ts'
import type { Enclosure } from './enclosure.ts'
import { environment, proxyEnvironment } from './environment.ts'
import { forward } from './inside/forward.ts'
import { limitCommand } from './limits/rlimits.ts'
import { killMarked, markedProcesses, NODE_MARK, PROCESS_MARK, SANDBOX_MARK } from './process-table.ts'
import { programExists } from './program-path.ts'
import { nodePaths, SYSTEM_PATH } from './system.ts'

/**
 * No isolation: an ordinary process of this user, on the host's own paths, told apart by marks in its environment. Whatever
 * keeps the marks is found and ended, daemons too; a hostile program can drop them, and so it can do anything else here.
 *
 * @param prlimit path of prlimit(1); null where there is none, and no limit but that of a control group.
 */
export async function plainEnclosure(deps: {
  spec: SandboxSpec
  nodeId: string
  joined: boolean
  prlimit: string | null
}): Promise<Enclosure> {
  const { spec, nodeId } = deps
  const path = [...nodePaths().slice(0, 1), process.env.PATH ?? SYSTEM_PATH].join(':')
  const places = { path, home: join(spec.scratch, 'home'), tmp: join(spec.scratch, 'tmp') }
  const base = { ...environment(places), ...spec.env, [NODE_MARK]: nodeId, [SANDBOX_MARK]: spec.id }
  const limits = deps.prlimit ? limitCommand(deps.prlimit, spec.limits, { group: deps.joined }) : []
  const relay = spec.gatewaySocket === null ? null : await forward({ host: '127.0.0.1', port: 0, socket: spec.gatewaySocket })
  relay?.unref()
  const address = relay?.address()
  const relayUrl = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : null

  return {
    isolation: 'none',
    workDir: spec.workTree,
    relayUrl,
    command({ argv, env, network }, mark) {
      const proxies = network && relayUrl ? proxyEnvironment(relayUrl) : {}
      const all: Record<string, string> = { ...base, ...proxies, ...env, [PROCESS_MARK]: mark }
      const [name = ''] = argv
      if (!programExists(name, { path: all.PATH ?? path, workDir: spec.workTree, places: [] })) {
        throw new SandboxError('not_found', `There is no program ${JSON.stringify(name)} on this machine`)
      }
      return { argv: [...limits, ...argv], env: all, inputs: [] }
    },
    program: started => started,
    members: (_started, mark) => markedProcesses({ [PROCESS_MARK]: mark }).map(identity => identity.pid),
    end: (_started, mark) => void killMarked({ [PROCESS_MARK]: mark }),
    sweep: mark => void killMarked({ [PROCESS_MARK]: mark }),
    close: async () => {
      killMarked({ [NODE_MARK]: nodeId, [SANDBOX_MARK]: spec.id })
      relay?.close()
    },
  }
}
