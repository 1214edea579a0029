import { readFileSync } from 'node:fs'
import type { Limits } from '#shared/model/index.ts'

/** How long past its processor time a program that ignores SIGXCPU may go on before the kernel ends it. */
const CPU_GRACE_S = 5
const OPEN_FILES = 65_536
/** Writable memory that an idle Node.js 24 has mapped and mostly not touched is 560 MiB; RLIMIT_DATA counts it. */
const UNTOUCHED_BYTES = 640 * 2 ** 20
/** POSIX counts the sizes of `ulimit -f` and `-c` in blocks. */
const BLOCK_BYTES = 512

/**
 * A prlimit(1) command to put before a program; it sets the limits and becomes the program. For where no control group holds
 * memory and processes together: limits of each process stand in. It runs *inside* the sandbox, because RLIMIT_NPROC counts per
 * user and user namespace. Memory is limited by RLIMIT_DATA: RLIMIT_AS would count the address space that V8 and Go reserve and
 * never touch.
 */
export function limitCommand(prlimit: string, limits: Limits, hard: HardLimits = hardLimits()): string[] {
  const options = {
    ...processLimits(limits),
    nproc: [limits.processes],
    data: [limits.memoryBytes + UNTOUCHED_BYTES],
  } satisfies Partial<Record<keyof HardLimits, number[]>>
  const pairs = Object.entries(options).map(([name, wish]) => {
    const { soft, most } = within(wish, hard[name as keyof HardLimits])
    return `--${name}=${soft}:${most}`
  })
  return [prlimit, ...pairs, '--']
}

/** The same for machines without prlimit(1): what every shell's `ulimit` knows. */
export function shellLimitCommand(limits: Limits, hard: HardLimits = hardLimits()): string[] {
  return ['/bin/sh', '-c', `${shellLimits(limits, hard)} && exec "$@"`, 'sh']
}

/**
 * Shell commands that set the limits of a process which a control group does not. A shell that is there anyhow does it in a
 * fraction of the time that a program takes.
 */
export function shellLimits(limits: Pick<Limits, 'cpuSeconds' | 'fileBytes'>, hard: HardLimits = hardLimits()): string {
  const { core, cpu, fsize, nofile } = processLimits(limits)
  const set = (option: string, wish: number[], ceiling: number, unit = 1) => {
    const { soft, most } = within(wish, ceiling)
    return `ulimit -S -${option} ${Math.ceil(soft / unit)} && ulimit -H -${option} ${Math.ceil(most / unit)}`
  }
  return [
    set('c', core, hard.core, BLOCK_BYTES),
    set('t', cpu, hard.cpu),
    set('f', fsize, hard.fsize, BLOCK_BYTES),
    set('n', nofile, hard.nofile),
  ].join(' && ')
}

/** What the kernel holds each process to; a second number is the hard limit. */
function processLimits(limits: Pick<Limits, 'cpuSeconds' | 'fileBytes'>) {
  return {
    core: [0],
    cpu: [limits.cpuSeconds, limits.cpuSeconds + CPU_GRACE_S],
    fsize: [limits.fileBytes],
    nofile: [OPEN_FILES],
  }
}

function within([soft = 0, most = soft]: number[], ceiling: number): { soft: number; most: number } {
  return { soft: Math.min(soft, ceiling), most: Math.min(most, ceiling) }
}

/** What this process may ask for; infinity where there is no limit. Only root can raise one. */
export type HardLimits = Readonly<Record<'core' | 'cpu' | 'fsize' | 'nofile' | 'nproc' | 'data', number>>

const TITLES: Record<keyof HardLimits, string> = {
  core: 'Max core file size',
  cpu: 'Max cpu time',
  fsize: 'Max file size',
  nofile: 'Max open files',
  nproc: 'Max processes',
  data: 'Max data size',
}

/** Parses /proc/PID/limits: a title, the soft and the hard limit, a unit. An absent line is no limit. */
export function parseHardLimits(text: string): HardLimits {
  const hard = (title: string) => {
    const line = text.split('\n').find(row => row.startsWith(`${title} `))
    const value = line?.slice(title.length).trim().split(/\s+/)[1]
    return value === undefined || value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value)
  }
  return Object.fromEntries(Object.entries(TITLES).map(([name, title]) => [name, hard(title)])) as Record<
    keyof HardLimits,
    number
  >
}

let cached: HardLimits | undefined
function hardLimits(): HardLimits {
  cached ??= parseHardLimits(readFileSync('/proc/self/limits', 'latin1'))
  return cached
}
