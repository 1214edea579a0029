import { describe, expect, it } from 'vitest'
import { isWithin, parseHours } from './hours.ts'

const at = (day: number, clock: string) => {
  const [hour = 0, minute = 0] = clock.split(':').map(Number)
  return { day, minute: hour * 60 + minute }
}
const within = (text: string, day: number, clock: string): boolean => {
  const span = parseHours(text)
  if (!span) throw new Error(`not hours: ${text}`)
  return isWithin(span, at(day, clock))
}

describe('hours of a node', () => {
  it.each([
    ['22:00-06:00', 0, '21:59', false],
    ['22:00-06:00', 0, '22:00', true],
    ['22:00-06:00', 0, '05:59', true],
    ['22:00-06:00', 0, '06:00', false],
    ['9-17:30', 6, '17:29', true],
    ['9-17:30', 6, '17:30', false],
    ['sat,sun', 5, '00:00', true],
    ['sat,sun', 6, '23:59', true],
    ['sat,sun', 0, '00:00', false],
    // The night of Friday ends on Saturday morning; that of Sunday is none of these.
    ['mon-fri 18:00-08:00', 4, '18:00', true],
    ['mon-fri 18:00-08:00', 5, '07:59', true],
    ['mon-fri 18:00-08:00', 5, '18:00', false],
    ['mon-fri 18:00-08:00', 0, '07:00', false],
    ['sat-mon 0-24', 6, '12:00', true],
    ['sat-mon 0-24', 1, '12:00', false],
  ])('%s on day %i at %s: %s', (text, day, clock, expected) => {
    expect(within(text, day, clock)).toBe(expected)
  })

  it.each([
    '',
    'someday',
    'mon-',
    '25:00-26:00',
    '8:00-8:00',
    'mon 8-9 10-11',
    '8:61-9',
    '24:00-6:00',
    'mon-tue-wed',
    '8:00',
    '8-9 mon',
  ])('does not take %j', text => {
    expect(parseHours(text)).toBeNull()
  })
})
