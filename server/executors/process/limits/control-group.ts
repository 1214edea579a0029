import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Limits } from '#shared/model/index.ts'

/** The sandbox's own processes besides the program: bubblewrap outside, its init inside, the relay. */
const OWN_PROCESSES = 3
/** Empty groups kept: to make and to remove one takes the kernel as long as a third of a small program's start. */
const MOST_SPARE = 8
const REMOVE_TRIES = 500
const REMOVE_PAUSE_MS = 2

/** One sandbox's share of the machine, as the kernel keeps it. */
export interface ControlGroup {
  /** A process that writes "0" to each is in, and all it starts. By itself rather than by us: moving another process waits for RCU, 5 to 20 ms. */
  readonly joinFiles: readonly string[]
  /** Processes the kernel ended for want of memory, so far. */
  oomKills(): number
  usage(): { cpuMs: number; memoryBytes: number; processes: number }
  /** Gives it back once it is empty; what is asked again does nothing. Gives up, for `removeLeftovers` to try again, when it does not become so within a second. */
  remove(): Promise<void>
}

export interface ControlGroups {
  readonly version: 'v1' | 'v2'
  create(name: string, limits: Limits): ControlGroup
  /** Removes groups of an earlier run, by how their names start, once what was in them is gone. */
  removeLeftovers(prefix: string): Promise<void>
  /** Removes the empty groups that are kept for the next sandbox. */
  close(): Promise<void>
}

/** A group in every hierarchy, and the limits it was made with. */
interface Made {
  readonly name: string
  readonly groups: readonly string[]
  readonly limits: Limits
}

/** A mounted hierarchy: where our group is in it, and what our groups are made under. */
interface Hierarchy {
  readonly base: string
  set(group: string, limits: Limits): void
}

interface Deps {
  readonly root?: string
  /** Text of /proc/self/cgroup: lines of `hierarchy:controllers:path`; see cgroups(7). */
  readonly membership?: string
}

/** @returns null where no hierarchy can be written: then limits hold for each process on its own. */
export function findControlGroups(deps: Deps = {}): ControlGroups | null {
  const root = deps.root ?? '/sys/fs/cgroup'
  const lines = (deps.membership ?? readText('/proc/self/cgroup') ?? '').trim().split('\n')
  const paths = new Map(
    lines.map(line => line.split(':')).flatMap(([, names = '', path = '']) => names.split(',').map(name => [name, path])),
  )
  return findV2(root, paths.get('')) ?? findV1(root, paths)
}

function findV2(root: string, path: string | undefined): ControlGroups | null {
  if (path === undefined || !existsSync(join(root, 'cgroup.controllers'))) return null
  const base = join(root, path)
  if (!delegate(base)) return null
  const set = (group: string, limits: Limits) => {
    writeFileSync(join(group, 'memory.max'), String(limits.memoryBytes))
    writeFileSync(join(group, 'pids.max'), String(limits.processes + OWN_PROCESSES))
    tryWrite(join(group, 'memory.swap.max'), '0')
  }
  const usage = (group: string) => ({
    cpuMs: Math.round(readCounter(join(group, 'cpu.stat'), 'usage_usec') / 1000),
    memoryBytes: readNumber(join(group, 'memory.current')),
    processes: readNumber(join(group, 'pids.current')),
  })
  const oomKills = (group: string) => readCounter(join(group, 'memory.events'), 'oom_kill')
  return groupsIn({
    version: 'v2',
    hierarchies: [{ base, set }],
    joinFile: 'cgroup.procs',
    usage: ([group = '']) => usage(group),
    oomKills,
  })
}

/**
 * Version 2 gives controllers only to groups that hold no process themselves, so this process first moves into a leaf of its
 * own. Fails, as it should, where the group is not delegated to us or others are in it (a login session, say).
 */
function delegate(base: string): boolean {
  const leaf = join(base, 'skein-server')
  if (!existsSync(base)) return false
  try {
    const enabled = readText(join(base, 'cgroup.subtree_control')) ?? ''
    if (/\bmemory\b/.test(enabled) && /\bpids\b/.test(enabled)) return tryMake(join(base, `skein-try-${process.pid}`))
    mkdirSync(leaf, { recursive: true })
    writeFileSync(join(leaf, 'cgroup.procs'), String(process.pid))
    writeFileSync(join(base, 'cgroup.subtree_control'), '+memory +pids')
    tryWrite(join(base, 'cgroup.subtree_control'), '+cpu')
    return true
  } catch {
    tryWrite(join(base, 'cgroup.procs'), String(process.pid))
    tryRemove(leaf)
    return false
  }
}

function findV1(root: string, paths: ReadonlyMap<string, string>): ControlGroups | null {
  const base = (controller: string) => join(root, controller, paths.get(controller) ?? '')
  const usable = (controller: string) =>
    paths.has(controller) &&
    existsSync(join(base(controller), 'tasks')) &&
    tryMake(join(base(controller), `skein-try-${process.pid}`))
  if (!usable('memory') || !usable('pids')) return null
  const hierarchies: Hierarchy[] = [
    {
      base: base('memory'),
      set(group, limits) {
        writeFileSync(join(group, 'memory.limit_in_bytes'), String(limits.memoryBytes))
        tryWrite(join(group, 'memory.memsw.limit_in_bytes'), String(limits.memoryBytes))
      },
    },
    {
      base: base('pids'),
      set: (group, limits) => writeFileSync(join(group, 'pids.max'), String(limits.processes + OWN_PROCESSES)),
    },
  ]
  if (usable('cpuacct')) hierarchies.push({ base: base('cpuacct'), set: () => {} })
  const usage = ([memory = '', pids = '', cpu]: readonly string[]) => ({
    cpuMs: cpu ? Math.round(readNumber(join(cpu, 'cpuacct.usage')) / 1e6) : 0,
    memoryBytes: readNumber(join(memory, 'memory.usage_in_bytes')),
    processes: readNumber(join(pids, 'pids.current')),
  })
  const oomKills = (memory: string) => readCounter(join(memory, 'memory.oom_control'), 'oom_kill')
  // `tasks` rather than cgroup.procs: a thread that moves itself takes no global lock.
  return groupsIn({ version: 'v1', hierarchies, joinFile: 'tasks', usage, oomKills })
}

function groupsIn(kind: {
  version: ControlGroups['version']
  hierarchies: readonly Hierarchy[]
  joinFile: string
  usage(groups: readonly string[]): ReturnType<ControlGroup['usage']>
  oomKills(first: string): number
}): ControlGroups {
  /** Names of all groups that are ours, in use or spare. */
  const known = new Set<string>()
  const spare: Made[] = []

  function make(name: string, limits: Limits): Made {
    const groups = kind.hierarchies.map(({ base }) => join(base, name))
    try {
      for (const [index, hierarchy] of kind.hierarchies.entries()) {
        const group = groups[index] ?? ''
        mkdirSync(group)
        hierarchy.set(group, limits)
      }
    } catch (cause) {
      for (const group of groups) tryRemove(group)
      throw cause
    }
    known.add(name)
    return { name, groups, limits }
  }

  /** A spare group under the same limits: then there is nothing to write, and no order of writing to get wrong. */
  function reuse({ memoryBytes, processes }: Limits): Made | undefined {
    const index = spare.findIndex(({ limits }) => limits.memoryBytes === memoryBytes && limits.processes === processes)
    return index < 0 ? undefined : spare.splice(index, 1)[0]
  }

  async function discard({ name, groups }: Made): Promise<void> {
    known.delete(name)
    await removeAll(groups)
  }

  return {
    version: kind.version,
    create(name, limits) {
      const made = reuse(limits) ?? make(name, limits)
      const { groups } = made
      const [first = ''] = groups
      const joinFiles = groups.map(group => join(group, kind.joinFile))
      let given = false
      const { cpuMs: usedBefore } = kind.usage(groups)
      return {
        joinFiles,
        oomKills: () => kind.oomKills(first),
        usage() {
          const { cpuMs, ...rest } = kind.usage(groups)
          return { cpuMs: cpuMs - usedBefore, ...rest }
        },
        async remove() {
          // Who failed later in its cleaning comes again; by then another may have it.
          if (given) return
          given = true
          const isEmpty = joinFiles.every(file => readText(file) === '')
          if (isEmpty && spare.length < MOST_SPARE) spare.push(made)
          else await discard(made)
        },
      }
    },
    async removeLeftovers(prefix) {
      const left = kind.hierarchies.flatMap(({ base }) =>
        readdirSync(base)
          .filter(name => name.startsWith(prefix) && !known.has(name))
          .map(name => join(base, name)),
      )
      await removeAll(left)
    },
    async close() {
      await Promise.all(spare.splice(0).map(discard))
    },
  }
}

/** A process that was killed takes a moment to be gone from its group; the kernel's time, so not the clock that tests turn. */
async function removeAll(groups: readonly string[]): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES; tries++) {
    if (groups.map(tryRemove).every(Boolean)) return
    await setTimeout(REMOVE_PAUSE_MS)
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return null
  }
}

const readNumber = (file: string): number => Number(readText(file)?.trim() ?? 0) || 0

/** The value in a file of `name value` lines. */
function readCounter(file: string, name: string): number {
  const line = (readText(file) ?? '').split('\n').find(row => row.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1) ?? 0) || 0
}

function tryWrite(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch {
    // Kernels without this file, or a group that may not be left: the limit that matters has been set before.
  }
}

function tryRemove(group: string): boolean {
  try {
    rmdirSync(group)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

function tryMake(group: string): boolean {
  try {
    mkdirSync(group)
    return tryRemove(group)
  } catch {
    return false
  }
}
