import { readdirSync, readFileSync } from 'node:fs'
import { diskUsage } from '#server/executors/disk.ts'
import { markedProcesses, SANDBOX_MARK } from '#server/executors/process-table.ts'
import { readStat } from '#server/lib/process-identity.ts'
import type { RunnerToken } from '../protocol.ts'

const MS_PER_TICK = 10
const PAGE_BYTES = 4096

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

/** How often the kernel has killed something in this control group for want of memory. */
export function oomKills(): number {
  const text = read('/sys/fs/cgroup/memory.events') + read('/sys/fs/cgroup/memory/memory.oom_control')
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
}

/** Processor time of the control group, those that are over included; null when it cannot be seen. */
function groupCpuMs(): number | null {
  const usec = /^usage_usec (\d+)$/m.exec(read('/sys/fs/cgroup/cpu.stat'))?.[1]
  if (usec) return Math.round(Number(usec) / 1000)
  const nanoseconds = read('/sys/fs/cgroup/cpuacct/cpuacct.usage').trim()
  return nanoseconds === '' ? null : Math.round(Number(nanoseconds) / 1e6)
}

/** The processes of the sandbox besides the runner and what started it. */
export function members(token: RunnerToken): number[] {
  if (!token.alone) return markedProcesses({ [SANDBOX_MARK]: token.id }).map(({ pid }) => pid)
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => Number.isInteger(pid) && pid > 1 && pid !== process.pid && pid !== process.ppid)
    .filter(pid => !['Z', 'X', undefined].includes(readStat(pid)?.state))
}

export async function measure(token: RunnerToken) {
  const stats = members(token).flatMap(pid => readStat(pid) ?? [])
  const { bytes } = await diskUsage(token.disk)
  return {
    cpuMs: (token.alone ? groupCpuMs() : null) ?? stats.reduce((sum, { cpuTicks }) => sum + cpuTicks * MS_PER_TICK, 0),
    memoryBytes: stats.reduce((sum, { residentPages }) => sum + residentPages * PAGE_BYTES, 0),
    processes: stats.length,
    diskBytes: bytes,
  }
}

/** Ends everything inside but the runner; something that forks faster than it is found is met more than once. */
export function killAll(token: RunnerToken): void {
  for (let round = 0; round < 50; round++) {
    const found = members(token)
    if (found.length === 0) return
    for (const pid of found) send(pid, 'SIGKILL')
  }
}

export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Over already.
  }
}
