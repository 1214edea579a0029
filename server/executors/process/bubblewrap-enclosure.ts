import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { send } from '#server/lib/process-identity.ts'
import { environment, proxyEnvironment } from '../environment.ts'
import { RELAY_PORT, SandboxError, type SandboxSpec } from '../index.ts'
import { childrenOf, descendants, killMarked, NODE_MARK, PROCESS_MARK, SANDBOX_MARK } from '../process-table.ts'
import { bubblewrapOptions, chooseWorkDir, INSIDE_RELAY, INSIDE_SOCKET } from './bubblewrap.ts'
import type { Enclosure } from './enclosure.ts'
import { programExists } from './program-path.ts'
import type { SharedParts } from './shared-parts.ts'
import { HOME, nodePaths, SYSTEM_PATH } from './system.ts'

/**
 * A program in namespaces of its own. Each start is one bubblewrap with its own pid namespace over the same work tree, so the
 * end of the program (or of bubblewrap) is the end of all it ever started: the kernel sees to it.
 *
 * Three processes: bubblewrap outside, the init of the namespace, the program (pid 2 inside).
 */
export function bubblewrapEnclosure(deps: {
  spec: SandboxSpec
  nodeId: string
  bubblewrap: string
  /** A command to put before the program that sets its limits; it runs inside. */
  limits: readonly string[]
  shared: SharedParts
  relayFile: string
}): Enclosure {
  const { spec } = deps
  const node = nodePaths()
  const readOnly = [...new Set([...node, ...spec.readOnly])]
  for (const path of readOnly)
    if (!existsSync(path)) throw new SandboxError('failed', `There is no ${path} to show in the sandbox`)
  const workDir = chooseWorkDir(readOnly)
  const path = [...node.slice(0, 1), SYSTEM_PATH].join(':')
  const relayUrl = spec.gatewaySocket === null ? null : `http://127.0.0.1:${RELAY_PORT}`
  const base = { ...environment({ path, home: HOME, tmp: '/tmp' }), ...spec.env, [SANDBOX_MARK]: spec.id }
  const { system, etc, filter } = deps.shared
  const places = [
    // First, because they are mounted over the others: the node of a checkout below /tmp is no file of the sandbox's own /tmp.
    ...readOnly.map(path => ({ inside: path, host: path })),
    { inside: workDir, host: spec.workTree },
    { inside: HOME, host: join(spec.scratch, 'home') },
    { inside: '/tmp', host: join(spec.scratch, 'tmp') },
  ]

  return {
    isolation: 'process',
    workDir,
    relayUrl,
    command({ argv, env, network }, mark) {
      const proxies = network && relayUrl ? proxyEnvironment(relayUrl) : {}
      const inside: Record<string, string> = { ...base, ...proxies, ...env, [PROCESS_MARK]: mark }
      const [name = ''] = argv
      if (!programExists(name, { path: inside.PATH ?? path, workDir, places })) {
        throw new SandboxError('not_found', `There is no program ${JSON.stringify(name)} in the sandbox`, {
          remedy: 'Install it under /usr, or name a path inside the work tree; a sandbox sees neither your home nor /opt.',
        })
      }
      const gateway = network && spec.gatewaySocket ? { socket: spec.gatewaySocket, relay: deps.relayFile } : null
      if (gateway && !existsSync(gateway.relay)) {
        throw new SandboxError('failed', `The relay is not at ${gateway.relay}`, { remedy: 'Build it: npm run build' })
      }
      if (gateway && !existsSync(gateway.socket))
        throw new SandboxError('failed', `The gateway does not listen at ${gateway.socket}`)
      const options = bubblewrapOptions({
        system,
        etc,
        readOnly,
        scratch: spec.scratch,
        workTree: spec.workTree,
        workDir,
        gateway,
        env: inside,
      })
      const relay = gateway
        ? [process.execPath, INSIDE_RELAY, '--listen', `127.0.0.1:${RELAY_PORT}`, '--socket', INSIDE_SOCKET, '--']
        : []
      const filtered = filter ? ['--seccomp', '4'] : []
      return {
        argv: [deps.bubblewrap, '--args', '3', ...filtered, '--', ...deps.limits, ...relay, ...argv],
        env: { [NODE_MARK]: deps.nodeId, [SANDBOX_MARK]: spec.id, [PROCESS_MARK]: mark },
        before: [],
        options,
        filter,
      }
    },
    program,
    members: started => {
      const init = childrenOf(started)[0]
      return init === undefined ? [] : descendants(init).map(entry => entry.pid)
    },
    // Rather the init than bubblewrap: once the init is gone so is all it held, and only then does bubblewrap end.
    end: started => send(childrenOf(started)[0] ?? started, 'SIGKILL'),
    // Killed before it had tied the init to its own life, bubblewrap leaves the init behind; both carry the mark.
    sweep: (_, mark, wasKilled) => {
      if (wasKilled) killMarked({ [PROCESS_MARK]: mark })
    },
    close: async () => {},
  }
}

/** Of the init's children, adopted ones among them, the program is number 2 of its namespace. */
function program(started: number): number | null {
  const init = childrenOf(started)[0]
  if (init === undefined) return null
  return childrenOf(init).find(pid => innermostId(pid) === 2) ?? null
}

/** The process's number in its own pid namespace; see NSpid in proc_pid_status(5). */
function innermostId(pid: number): number | null {
  try {
    const line = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return Number(line?.[1]?.split(/\s+/).at(-1))
  } catch {
    return null
  }
}
