const BYTE_UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const
const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000, w: 7 * 24 * 3_600_000 } as const

/**
 * Reads an amount of bytes: a number, with `K`, `M`, `G`, `T` or `P` for powers of 1024 (`KiB` and `KB` mean the same here).
 * @returns null when it is none.
 */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?$/i.exec(text.trim())
  if (!match) return null
  const power = BYTE_UNITS.indexOf((match[2] ?? '').toUpperCase() as (typeof BYTE_UNITS)[number])
  return safe(Number(match[1]) * 1024 ** power)
}

/** Reads a duration in ms: numbers with `ms`, `s`, `m`, `h`, `d` or `w`, such as `90s` or `1h30m`. @returns null when it is none. */
export function parseDuration(text: string): number | null {
  const compact = text.trim().toLowerCase()
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(compact)) return null
  let total = 0
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    total += Number(amount) * DURATION_MS[unit as keyof typeof DURATION_MS]
  }
  return safe(total)
}

const safe = (amount: number): number | null => (Number.isSafeInteger(Math.round(amount)) ? Math.round(amount) : null)

/** `1536` becomes `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let power = 0
  while (value >= 1024 && power < BYTE_UNITS.length - 1) {
    value /= 1024
    power++
  }
  return power === 0 ? `${value} B` : `${value.toFixed(value < 10 ? 1 : 0)} ${BYTE_UNITS[power]}iB`
}

/** The two largest parts of a duration: `950ms`, `12s`, `3m 20s`, `2h 5m`, `4d 1h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'm', seconds % 60, 's')
  if (seconds < 86_400) return pair(Math.floor(seconds / 3600), 'h', Math.floor((seconds % 3600) / 60), 'm')
  return pair(Math.floor(seconds / 86_400), 'd', Math.floor((seconds % 86_400) / 3600), 'h')
}

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`
