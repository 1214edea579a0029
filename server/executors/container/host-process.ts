import { readdirSync, readFileSync } from 'node:fs'
import { identify, readStat } from '#server/lib/process-identity.ts'
import type { ProcessIdentity } from '../index.ts'

/** Which process of this machine a process in a container of this machine is; null where they cannot be seen, as in another machine's VM. */
export function hostProcess({ pid, startTicks }: { pid: number; startTicks: number }): ProcessIdentity | null {
  if (process.platform !== 'linux') return null
  const host = readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .find(candidate => readStat(candidate)?.startTicks === startTicks && innermost(candidate) === pid)
  return host === undefined ? null : identify(host)
}

/** Its number in its own pid namespace; none for a process of ours. */
function innermost(pid: number): number | null {
  try {
    const numbers = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]?.split(/\s+/) ?? []
    return numbers.length > 1 ? Number(numbers.at(-1)) : null
  } catch {
    return null
  }
}
