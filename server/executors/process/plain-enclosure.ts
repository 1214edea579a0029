import { join } from 'node:path'
import { send } from '#server/lib/process-identity.ts'
import { environment, proxyEnvironment } from '../environment.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import { killMarked, markedProcesses, NODE_MARK, PROCESS_MARK, SANDBOX_MARK } from '../process-table.ts'
import type { Enclosure } from './enclosure.ts'
import { forward } from './inside/forward.ts'
import { programExists } from './program-path.ts'
import { seatbeltProfile } from './seatbelt.ts'
import { nodePaths, SYSTEM_PATH } from './system.ts'

/**
 * An ordinary process of this user, on the host's own paths, told apart by marks in its environment: what `--no-sandbox` asks
 * for, and, held to a profile, what macOS has for a sandbox. Whatever keeps the marks is found and ended, daemons too; a
 * hostile program can drop them, and without a profile it can do anything else as well.
 *
 * @param limits a command to put before the program that sets its limits.
 */
export async function plainEnclosure(deps: {
  spec: SandboxSpec
  nodeId: string
  limits: readonly string[]
  platform: NodeJS.Platform
}): Promise<Enclosure> {
  const { spec, nodeId, platform } = deps
  const path = [...nodePaths().slice(0, 1), process.env.PATH ?? SYSTEM_PATH].join(':')
  const places = { path, home: join(spec.scratch, 'home'), tmp: join(spec.scratch, 'tmp') }
  const base = { ...environment(places), ...spec.env, [NODE_MARK]: nodeId, [SANDBOX_MARK]: spec.id }
  const relay = spec.gatewaySocket === null ? null : await forward({ host: '127.0.0.1', port: 0, socket: spec.gatewaySocket })
  relay?.unref()
  const address = relay?.address()
  const relayPort = typeof address === 'object' && address ? address.port : null
  const relayUrl = relayPort === null ? null : `http://127.0.0.1:${relayPort}`
  const profiled = spec.isolation === 'sandbox'

  const profile = (network: boolean) => {
    const writable = [spec.workTree, spec.scratch]
    const text = seatbeltProfile({
      writable,
      readOnly: [...nodePaths(), ...spec.readOnly],
      relayPort: network ? relayPort : null,
    })
    return ['/usr/bin/sandbox-exec', '-p', text]
  }
  const end = (started: number, mark: string) => {
    // Where there is no /proc to read marks from, the process group is the best there is.
    if (platform !== 'linux') send(-started, 'SIGKILL')
    killMarked({ [PROCESS_MARK]: mark })
  }

  return {
    isolation: profiled ? 'process' : 'none',
    workDir: spec.workTree,
    relayUrl,
    command({ argv, env, network }, mark) {
      const proxies = network && relayUrl ? proxyEnvironment(relayUrl) : {}
      const all: Record<string, string> = { ...base, ...proxies, ...env, [PROCESS_MARK]: mark }
      const [name = ''] = argv
      if (!programExists(name, { path: all.PATH ?? path, workDir: spec.workTree, places: [] })) {
        throw new SandboxError('not_found', `There is no program ${JSON.stringify(name)} on this machine`)
      }
      return {
        argv: [...deps.limits, ...(profiled ? profile(network) : []), ...argv],
        env: all,
        before: [],
        options: [],
        filter: null,
      }
    },
    program: started => started,
    members: (started, mark) =>
      [started, ...markedProcesses({ [PROCESS_MARK]: mark }).map(identity => identity.pid)].filter(unique),
    end,
    sweep: end,
    async close() {
      killMarked({ [NODE_MARK]: nodeId, [SANDBOX_MARK]: spec.id })
      relay?.close()
    },
  }
}

const unique = (pid: number, index: number, pids: readonly number[]) => pids.indexOf(pid) === index
