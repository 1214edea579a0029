import type { Translate } from './row.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long, in at most two units; it changes once a second in the first minute only, so that rows are not redrawn for nothing. */
export function duration(ms: number, t: Translate): string {
  const time = Math.max(0, ms)
  if (time < MINUTE) return t('{0} s', Math.floor(time / 1000))
  if (time < HOUR) return t('{0} min', Math.floor(time / MINUTE))
  if (time < DAY) return t('{0} h {1} min', Math.floor(time / HOUR), Math.floor((time % HOUR) / MINUTE))
  return t('{0} d {1} h', Math.floor(time / DAY), Math.floor((time % DAY) / HOUR))
}

/** How long ago that was. */
export const ago = (at: string, now: number, t: Translate): string => t('{0} ago', duration(now - Date.parse(at), t))

/** Bytes as people read them. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10))
  const value = count / 1024 ** power
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}
