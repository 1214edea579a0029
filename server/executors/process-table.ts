import { readdirSync, readFileSync } from 'node:fs'
import { identify, kill, type ProcessStat, readStat } from '#server/lib/process-identity.ts'
import type { ProcessIdentity, SandboxStats } from './index.ts'

/** Environment names that mark what belongs to us; an environment is inherited by everything a process starts. */
export const NODE_MARK = 'SKEIN_NODE'
export const SANDBOX_MARK = 'SKEIN_SANDBOX_ID'
/** `<sandbox id>.<number of the start>`: tells what one program left from what another one runs. */
export const PROCESS_MARK = 'SKEIN_PROCESS_ID'

export interface TableEntry extends ProcessStat {
  readonly pid: number
}

/** All processes this one can see. */
function processTable(): TableEntry[] {
  return pids().flatMap(pid => {
    const stat = readStat(pid)
    return stat ? [{ pid, ...stat }] : []
  })
}

function pids(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}

/** The children of a process, oldest first. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
  } catch {
    // Kernels without CONFIG_PROC_CHILDREN; or the process is gone, and nobody is found.
    return processTable()
      .filter(entry => entry.parent === pid)
      .map(entry => entry.pid)
  }
}

/** Clock ticks of /proc/PID/stat: USER_HZ is 100 on every architecture we run on. */
const MS_PER_TICK = 10
const PAGE_BYTES = 4096

/** What processes use together; those that are over count for nothing. */
export function usageOf(pids: readonly number[]): Omit<SandboxStats, 'diskBytes'> {
  const stats = pids.flatMap(pid => readStat(pid) ?? [])
  return {
    cpuMs: stats.reduce((sum, { cpuTicks }) => sum + cpuTicks * MS_PER_TICK, 0),
    memoryBytes: stats.reduce((sum, { residentPages }) => sum + residentPages * PAGE_BYTES, 0),
    processes: stats.length,
  }
}

/** Everything below `ancestor`, itself not included. What a process left behind counts under its pid namespace's init. */
export function descendants(ancestor: number, table = processTable()): TableEntry[] {
  const children = Map.groupBy(table, entry => entry.parent)
  const found: TableEntry[] = []
  const pending = [...(children.get(ancestor) ?? [])]
  for (let entry = pending.pop(); entry; entry = pending.pop()) {
    found.push(entry)
    pending.push(...(children.get(entry.pid) ?? []))
  }
  return found
}

/** Living processes whose first environment held all these values; never this process itself. */
export function markedProcesses(marks: Readonly<Record<string, string | null>>): ProcessIdentity[] {
  return pids().flatMap(pid => {
    if (pid === process.pid || !carries(pid, marks)) return []
    return identify(pid) ?? []
  })
}

/** @param marks what each name must hold; null: anything. */
function carries(pid: number, marks: Readonly<Record<string, string | null>>): boolean {
  let environment: string
  try {
    environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return false // gone, or another user's
  }
  const strings = environment.split('\0')
  return Object.entries(marks).every(([name, value]) =>
    value === null ? strings.some(text => text.startsWith(`${name}=`)) : strings.includes(`${name}=${value}`),
  )
}

/** Something that forks faster than it is found must be met more than once. */
export const KILL_ROUNDS = 50

/** Kills marked processes until none is left. @returns how many. */
export function killMarked(marks: Readonly<Record<string, string | null>>): number {
  let killed = 0
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const found = markedProcesses(marks)
    if (found.length === 0) break
    for (const identity of found) if (kill(identity, 'SIGKILL')) killed++
  }
  return killed
}
