import { join } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'
import { doneOnce } from '#server/lib/done-once.ts'
import { send } from '#server/lib/process-identity.ts'
import { atMost } from '#server/lib/within.ts'
import type { Limits } from '#shared/model/index.ts'
import { diskUsage, watchDisk } from '../disk.ts'
import {
  type Exit,
  NEVER_LOST,
  type Sandbox,
  SandboxError,
  type SandboxSpec,
  type SandboxStats,
  type StartOptions,
} from '../index.ts'
import { usageOf } from '../process-table.ts'
import { shellLimits } from '../rlimits.ts'
import type { Command, Enclosure } from './enclosure.ts'
import type { ControlGroup } from './limits/control-group.ts'
import { type Running, run } from './running.ts'
import { removeScratch } from './scratch.ts'
import { quote, type Starters } from './starters.ts'

/** A sandbox of host processes. */
export interface ProcessSandbox extends Sandbox {
  /** `stats` without the walk over its files. */
  usage(): Omit<SandboxStats, 'diskBytes'>
}

/** What all sandboxes have in common: starts, limits of the whole, statistics, and the end. */
export function createSandbox(deps: {
  spec: SandboxSpec
  enclosure: Enclosure
  group: ControlGroup | null
  starters: Starters
  graceMs: number
  clock: Clock
  /** Told once it is cleaned up. */
  gone(): void
}): ProcessSandbox {
  const { spec, enclosure, group, starters, clock } = deps
  const running = new Set<Running>()
  const directories = [spec.workTree, join(spec.scratch, 'tmp'), join(spec.scratch, 'home')]
  let starts = 0
  let diskFull = false
  let stopWatching: (() => void) | null = null
  let closed = false

  const endAll = () => {
    for (const { identity, mark } of running) enclosure.end(identity.pid, mark)
  }

  const watch = () => {
    const exceeded = () => {
      diskFull = true
      endAll()
    }
    stopWatching ??= watchDisk({ clock, directories, limitBytes: spec.limits.diskBytes, exceeded })
  }

  const usage = () =>
    group?.usage() ?? usageOf([...running].flatMap(({ identity, mark }) => enclosure.members(identity.pid, mark)))

  const forget = (program: Running) => {
    running.delete(program)
    if (running.size > 0) return
    stopWatching?.()
    stopWatching = null
  }

  /** A kill for want of memory is only the answer if the program did not get over it. */
  const verdict = (exit: Exit, killsBefore: number): Exit => {
    if (diskFull) return { reason: 'limit', limit: 'disk' }
    const survived = exit.reason === 'exit' && exit.code === 0
    return !survived && group && group.oomKills() > killsBefore ? { reason: 'limit', limit: 'memory' } : exit
  }

  const signalAll = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (signal === 'SIGKILL') return endAll()
    for (const { identity, mark } of running) for (const pid of enclosure.members(identity.pid, mark)) send(pid, signal)
  }

  const endPrograms = async () => {
    const ended = () => Promise.all([...running].map(program => program.ended))
    if (running.size > 0) {
      await signalAll('SIGTERM')
      await atMost(clock, deps.graceMs, ended())
      endAll()
      await ended()
    }
    stopWatching?.()
    await enclosure.close()
  }

  const endOnce = doneOnce(endPrograms)
  const end = () => {
    closed = true
    return endOnce()
  }

  const clean = async () => {
    await end()
    await group?.remove()
    await removeScratch(spec.scratch)
    deps.gone()
  }

  return {
    isolation: enclosure.isolation,
    programs: 'host',
    image: null,
    workDir: enclosure.workDir,
    relayUrl: enclosure.relayUrl,
    lost: NEVER_LOST,
    async start(options: StartOptions) {
      if (closed) throw new SandboxError('failed', `Sandbox ${spec.id} is cleaned up`)
      const mark = `${spec.id}.${++starts}`
      const killsBefore = group?.oomKills() ?? 0
      const inside = enclosure.command(options, mark)
      const command = group ? entering(inside, group, spec.limits) : inside
      const program = await run(command, {
        mark,
        cwd: spec.workTree,
        stdin: options.stdin,
        enclosure,
        starters,
        verdict: exit => verdict(exit, killsBefore),
      })
      running.add(program)
      // Cleaned up meanwhile, by somebody who could not know of this one.
      if (closed) enclosure.end(program.identity.pid, mark)
      void program.ended.then(() => forget(program))
      watch()
      return program
    },
    async stats(): Promise<SandboxStats> {
      const { bytes: diskBytes } = await diskUsage(directories)
      return { ...usage(), diskBytes }
    },
    usage,
    signal: signalAll,
    end,
    cleanup: doneOnce(clean),
  }
}

/** Lets the process enter the control group by itself, first thing: a shell that writes, sets the limits, and becomes the command. */
function entering(command: Command, group: ControlGroup, limits: Limits): Command {
  const join = group.joinFiles.map(file => `echo 0 >${quote(file)}`)
  return { ...command, before: [...command.before, ...join, shellLimits(limits)] }
}
