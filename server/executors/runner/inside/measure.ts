import { readdirSync, readFileSync } from 'node:fs'
import { diskUsage } from '#server/executors/disk.ts'
import { KILL_ROUNDS, markedProcesses, SANDBOX_MARK, usageOf } from '#server/executors/process-table.ts'
import { readStat, send } from '#server/lib/process-identity.ts'
import type { RunnerToken } from '../protocol.ts'

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
  const usage = usageOf(members(token))
  const { bytes: diskBytes } = await diskUsage(token.disk)
  return { ...usage, cpuMs: (token.alone ? groupCpuMs() : null) ?? usage.cpuMs, diskBytes }
}

/** Ends everything inside but the runner; something that forks faster than it is found is met more than once. */
export function killAll(token: RunnerToken): void {
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const found = members(token)
    if (found.length === 0) return
    for (const pid of found) send(pid, 'SIGKILL')
  }
}
