import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { PowerSource } from '#shared/model/index.ts'

const execute = promisify(execFile)
/** Longest wait for a program that tells, ms. */
const ASK_MS = 1_000
const SUPPLIES = '/sys/class/power_supply'
const PMSET = '/usr/bin/pmset'

/** What a machine runs on now; `unknown` where nothing tells. Never throws. */
export function createPower({
  platform,
  supplies = SUPPLIES,
  ask = askPmset,
}: {
  platform: NodeJS.Platform
  /** Directory in which Linux lists what the machine is fed by. */
  supplies?: string
  ask?: () => Promise<string>
}): () => Promise<PowerSource> {
  const read = { linux: () => readSupplies(supplies), darwin: async () => fromPmset(await ask()) }[platform as string]
  return async () => (read ? read().catch(() => 'unknown' as const) : 'unknown')
}

interface Supply {
  readonly type: string
  readonly scope: string
  readonly online: string
  readonly status: string
}

/**
 * A machine that lists batteries is on the mains when a charger is, or when no battery is being emptied; one that lists nothing
 * has no battery. Source: Documentation/ABI/testing/sysfs-class-power of Linux.
 */
function fromSupplies(supplies: readonly Supply[]): PowerSource {
  // Batteries of a mouse or a headset are listed too.
  const own = supplies.filter(({ scope }) => scope !== 'Device')
  if (own.some(({ type, online }) => type !== 'Battery' && online === '1')) return 'mains'
  return own.some(({ type, status }) => type === 'Battery' && status === 'Discharging') ? 'battery' : 'mains'
}

/** Reads the first line of `pmset -g batt`. */
export function fromPmset(text: string): PowerSource {
  const source = /Now drawing from '(AC|Battery|UPS) Power'/.exec(text)?.[1]
  if (source === undefined) return 'unknown'
  return source === 'AC' ? 'mains' : 'battery'
}

async function readSupplies(directory: string): Promise<PowerSource> {
  const names = await readdir(directory)
  const text = (name: string, file: string) =>
    readFile(join(directory, name, file), 'utf8').then(
      read => read.trim(),
      () => '',
    )
  const supplies = names.map(async (name): Promise<Supply> => {
    const [type, scope, online, status] = await Promise.all([
      text(name, 'type'),
      text(name, 'scope'),
      text(name, 'online'),
      text(name, 'status'),
    ])
    return { type, scope, online, status }
  })
  return fromSupplies(await Promise.all(supplies))
}

async function askPmset(): Promise<string> {
  const { stdout } = await execute(PMSET, ['-g', 'batt'], { timeout: ASK_MS })
  return stdout
}
