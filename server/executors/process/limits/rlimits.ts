import { readFileSync } from 'node:fs'
import type { Limits } from '#shared/model/index.ts'

/** How long past its processor time a program that ignores SIGXCPU may go on before the kernel ends it. */
const CPU_GRACE_S = 5
const OPEN_FILES = 65_536
/** Writable memory that an idle Node.js 24 has mapped and mostly not touched is 560 MiB; RLIMIT_DATA counts it. */
const UNTOUCHED_BYTES = 640 * 2 ** 20

export interface Enforced {
  /** Whether a control group holds memory and processes together, so that no per-process limit must stand in. */
  readonly group: boolean
}

/**
 * A prlimit(1) command to put before a program; it sets the limits and becomes the program. It runs *inside* the sandbox, because
 * RLIMIT_NPROC counts per user and user namespace. Without a control group memory is limited by RLIMIT_DATA, for each process:
 * RLIMIT_AS would count the address space that V8 and Go reserve and never touch.
 */
export function limitCommand(prlimit: string, limits: Limits, enforced: Enforced, hard: HardLimits = hardLimits()): string[] {
  const options = {
    core: 0,
    cpu: [limits.cpuSeconds, limits.cpuSeconds + CPU_GRACE_S],
    fsize: limits.fileBytes,
    nofile: OPEN_FILES,
    ...(enforced.group ? {} : { nproc: limits.processes, data: limits.memoryBytes + UNTOUCHED_BYTES }),
  } satisfies Partial<Record<keyof HardLimits, number | number[]>>
  const pairs = Object.entries(options).map(([name, wish]) => {
    const [soft = 0, most = soft] = [wish].flat()
    const ceiling = hard[name as keyof HardLimits]
    return `--${name}=${Math.min(soft, ceiling)}:${Math.min(most, ceiling)}`
  })
  return [prlimit, ...pairs, '--']
}

/** The same for machines without prlimit(1): what every shell's `ulimit` knows. POSIX counts a file's size in blocks of 512 bytes. */
export function shellLimitCommand(limits: Limits): string[] {
  const script = `ulimit -c 0; ulimit -t ${limits.cpuSeconds}; ulimit -f ${Math.ceil(limits.fileBytes / 512)}; exec "$@"`
  return ['/bin/sh', '-c', script, 'sh']
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
