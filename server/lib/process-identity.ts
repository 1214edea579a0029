import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Which process, beyond doubt: an id is reused, the pair of id and start time is not. */
interface Identity {
  readonly pid: number
  /** `<boot id>:<start time in clock ticks>` on Linux; what `ps -o lstart` prints elsewhere. */
  readonly startTime: string
}

/** The fields of /proc/PID/stat that are used here; see proc_pid_stat(5). */
export interface ProcessStat {
  readonly state: string
  readonly parent: number
  /** User and system time, of this process and of the children it has waited for; clock ticks of 10 ms. */
  readonly cpuTicks: number
  /** Clock ticks since boot. */
  readonly startTicks: number
  /** Pages. */
  readonly residentPages: number
}

/** @returns null for text that is not a stat line. The name, in parentheses, may hold anything, parentheses included. */
export function parseStat(text: string): ProcessStat | null {
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ')
  const number = (index: number) => Number(fields[index])
  const stat = {
    state: fields[0] ?? '',
    parent: number(1),
    cpuTicks: number(11) + number(12) + number(13) + number(14),
    startTicks: number(19),
    residentPages: number(21),
  }
  return Object.values(stat).some(value => Number.isNaN(value)) ? null : stat
}

/** @returns null when there is no such process, or no /proc. */
export function readStat(pid: number): ProcessStat | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return null
  }
}

let bootId: string | undefined

/** @returns the identity of a living process; null when there is none, or when it is over and only waits to be collected. */
export function identify(pid: number): Identity | null {
  const startTime = process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid)
  return startTime === null ? null : { pid, startTime }
}

function linuxStartTime(pid: number): string | null {
  const stat = readStat(pid)
  if (!stat || stat.state === 'Z' || stat.state === 'X') return null
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return `${bootId}:${stat.startTicks}`
}

function psStartTime(pid: number): string | null {
  try {
    const env = { LC_ALL: 'C', TZ: 'UTC', PATH: '/bin:/usr/bin' }
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { env, stdio, encoding: 'utf8' }).trim() || null
  } catch {
    return null
  }
}

/** Whether exactly this process lives. */
export function isAlive(identity: Identity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime
}

/** Signals whatever has the id now, or with a negative one a whole process group. What is over already needs no signal. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Over, or nobody left in the group.
  }
}

/**
 * Signals exactly this process. Between the look and the signal a process could end and its id be given anew; ids are handed
 * out in turn, so that takes a full round of the id space within microseconds.
 * @returns whether it lived and was signalled.
 */
export function kill(identity: Identity, signal: NodeJS.Signals): boolean {
  if (identity.pid <= 1 || !isAlive(identity)) return false
  try {
    return process.kill(identity.pid, signal)
  } catch {
    return false
  }
}
