import * as z from 'zod'

const DAYS: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const DAY_MINUTES = 24 * 60

/** A moment as a wall clock in the node's own time zone shows it. */
export interface LocalTime {
  /** 0 is Monday. */
  readonly day: number
  /** Since midnight. */
  readonly minute: number
}

/** Some time of each of some days; one that goes past midnight belongs to the day it began on. */
export interface HoursSpan {
  /** 0 is Monday. */
  readonly days: ReadonlySet<number>
  /** Minutes since midnight: from the first, up to the second without it. */
  readonly from: number
  readonly to: number
}

/** Reads `mon-fri 18:00-08:00`, `22:00-06:00` (every day) or `sat,sun` (all day). @returns null when it is none */
export function parseHours(text: string): HoursSpan | null {
  const words = text.trim().toLowerCase().split(/\s+/)
  const [first = '', second] = words
  if (words.length > 2) return null
  const time = /^\d/.test(first) ? first : second
  const days = /^\d/.test(first) ? new Set(DAYS.keys()) : parseDays(first)
  if (days === null || (/^\d/.test(first) && second !== undefined)) return null
  if (time === undefined) return { days, from: 0, to: DAY_MINUTES }
  const [, from, to] = /^([\d:]+)-([\d:]+)$/.exec(time) ?? []
  const [begin, end] = [parseMinute(from), parseMinute(to)]
  if (begin === null || end === null || begin === end || begin === DAY_MINUTES) return null
  return { days, from: begin, to: end }
}

function parseDays(text: string): Set<number> | null {
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [from, to = from] = part.split('-').map(name => DAYS.indexOf(name))
    if (from === undefined || to === undefined || from < 0 || to < 0 || part.split('-').length > 2) return null
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day)
      if (day === to) break
    }
  }
  return days
}

function parseMinute(text: string | undefined): number | null {
  const [, hour, minute = '00'] = /^(\d{1,2})(?::(\d{2}))?$/.exec(text ?? '') ?? []
  if (hour === undefined || Number(minute) > 59) return null
  const minutes = Number(hour) * 60 + Number(minute)
  return minutes <= DAY_MINUTES ? minutes : null
}

export function isWithin({ days, from, to }: HoursSpan, { day, minute }: LocalTime): boolean {
  if (from < to) return days.has(day) && minute >= from && minute < to
  return (days.has(day) && minute >= from) || (days.has((day + 6) % 7) && minute < to)
}

export const Hours = z
  .string()
  .max(64)
  .refine(text => parseHours(text) !== null, 'must look like `mon-fri 18:00-08:00`, `22:00-06:00` or `sat,sun`')
