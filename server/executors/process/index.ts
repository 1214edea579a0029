import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'
import { doneOnce } from '#server/lib/done-once.ts'
import { kill } from '#server/lib/process-identity.ts'
import { type Executor, type ExecutorProbe, type ProcessIdentity, SandboxError, type SandboxSpec } from '../index.ts'
import { killMarked, NODE_MARK, SANDBOX_MARK } from '../process-table.ts'
import { limitCommand, shellLimitCommand } from '../rlimits.ts'
import { bubblewrapEnclosure } from './bubblewrap-enclosure.ts'
import type { Enclosure } from './enclosure.ts'
import { type ControlGroups, findControlGroups } from './limits/control-group.ts'
import { plainEnclosure } from './plain-enclosure.ts'
import { findTools, probeBubblewrap, probeSeatbelt } from './probe.ts'
import { createSandbox, type ProcessSandbox } from './sandbox.ts'
import { makeScratch, removeScratch } from './scratch.ts'
import { makeSharedParts } from './shared-parts.ts'
import { createStarters } from './starters.ts'
import { lookAtSystem } from './system.ts'
import { describeWorkload } from './workload.ts'

/** What of a logger is used here. */
interface Log {
  warn(fields: object, message: string): void
}

export interface ProcessExecutorDeps {
  /** Marks this node's sandboxes. */
  readonly nodeId: string
  /** For what all sandboxes share; made when the first is. */
  readonly directory: string
  /** Absolute path of the bundled relay, dist/inside/relay.mjs. */
  readonly relayFile: string
  /** How long a sandbox may go on after SIGTERM. */
  readonly graceMs: number
  readonly clock: Clock
  readonly log: Log
  readonly platform?: NodeJS.Platform
  /** null: do without. Looked for when not given. */
  readonly groups?: ControlGroups | null
}

/** A sandbox id becomes a directory name of a control group, and part of an environment string. */
const SANDBOX_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** Sandboxes out of the operating system's own parts: bubblewrap on Linux, seatbelt on macOS; or none, when so asked. */
export function processExecutor(deps: ProcessExecutorDeps): Executor {
  const { nodeId, directory, clock, graceMs, relayFile, log } = deps
  const platform = deps.platform ?? process.platform
  const tools = findTools()
  const groups = deps.groups === undefined ? findControlGroups() : deps.groups
  const groupPrefix = `skein-${nodeId.replace(/[^A-Za-z0-9]/g, '').slice(0, 16)}-`
  const starters = createStarters({ directory: join(directory, 'pipes'), env: { [NODE_MARK]: nodeId } })
  let found: Promise<ExecutorProbe> | null = null
  let swept: Promise<void> | null = null
  /** Prepared and not cleaned up. */
  const living = new Map<string, { spec: SandboxSpec; sandbox: ProcessSandbox; since: number }>()

  /** A yes stays true; after a no, somebody may have installed what was missing. */
  const probe = async () => {
    found ??= platform === 'darwin' ? probeSeatbelt() : probeBubblewrap(tools, groups?.version ?? null)
    const result = await found
    if (!result.available) found = null
    return result
  }

  const sharedParts = doneOnce(() => makeSharedParts(directory, lookAtSystem()))

  /** An earlier run that was killed could not remove the groups it kept spare. */
  const sweepOnce = () => {
    swept ??= groups?.removeLeftovers(groupPrefix) ?? Promise.resolve()
    return swept
  }

  const enclose = async (spec: SandboxSpec, joined: boolean): Promise<Enclosure> => {
    const { bubblewrap, prlimit } = tools
    // The shell that joins a control group sets the rest of the limits too.
    const limits = joined ? [] : prlimit ? limitCommand(prlimit, spec.limits) : shellLimitCommand(spec.limits)
    if (spec.isolation === 'none') return plainEnclosure({ spec, nodeId, limits, platform })
    const { available, detail, remedy } = await probe()
    if (!available) throw new SandboxError('unavailable', `No sandbox can be made: ${detail}`, remedy === null ? {} : { remedy })
    if (bubblewrap) return bubblewrapEnclosure({ spec, nodeId, bubblewrap, limits, shared: await sharedParts(), relayFile })
    return plainEnclosure({ spec, nodeId, limits, platform })
  }

  return {
    kind: 'process',
    programs: 'host',
    probe,
    async prepare(given) {
      if (!SANDBOX_ID.test(given.id)) throw new SandboxError('failed', `Not a sandbox id: ${JSON.stringify(given.id)}`)
      const undo: (() => Promise<void>)[] = []
      try {
        const spec = { ...given, workTree: realpathSync.native(given.workTree) }
        undo.unshift(() => removeScratch(spec.scratch))
        makeScratch(spec)
        await sweepOnce()
        const group = groups?.create(groupPrefix + spec.id, spec.limits) ?? null
        if (group) undo.unshift(() => group.remove())
        const enclosure = await enclose(spec, group !== null)
        const gone = () => void living.delete(spec.id)
        const sandbox = createSandbox({ spec, enclosure, group, starters, graceMs, clock, gone })
        living.set(spec.id, { spec, sandbox, since: clock.now() })
        return sandbox
      } catch (cause) {
        for (const step of undo) await step()
        if (cause instanceof SandboxError) throw cause
        throw new SandboxError('failed', `Failed to prepare sandbox ${given.id}: ${(cause as Error).message}`, { cause })
      }
    },
    // It gives what the machine gives, which the node says for itself.
    capacity: async () => null,
    workloads: async () => [...living.values()].map(describeWorkload),
    async reap(recorded: readonly ProcessIdentity[]) {
      const killed = recorded.filter(identity => kill(identity, 'SIGKILL')).length
      const marked = killMarked({ [NODE_MARK]: nodeId, [SANDBOX_MARK]: null })
      await groups?.removeLeftovers(groupPrefix)
      if (killed + marked > 0) log.warn({ processes: killed + marked }, 'Ended what an earlier run of this node left behind')
      return killed + marked
    },
    async close() {
      starters.close()
      // A run that made no sandbox has not swept yet.
      await sweepOnce()
      await groups?.close()
    },
  }
}
