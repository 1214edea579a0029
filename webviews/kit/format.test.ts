import { expect, it } from 'vitest'
import { commandText } from '#shared/model/index.ts'
import { ago, baseName, bytes, duration, times } from './format.ts'

it('writes durations', () => {
  expect([0, 850, 1234, 12_000, 184_000, 7_500_000, 90_000_000].map(duration)).toEqual([
    '0 ms',
    '850 ms',
    '1.2 s',
    '12 s',
    '3 min 4 s',
    '2 h 5 min',
    '1 d 1 h',
  ])
})
it('writes how long ago', () => {
  const now = Date.parse('2026-01-02T00:00:00Z')
  expect(ago('2026-01-01T23:59:58Z', now)).toBe('just now')
  expect(ago('2026-01-01T23:00:00Z', now)).toBe('1 h ago')
})
it('writes sizes and counts', () => {
  expect([0, 1023, 1536, 200 * 1024, 3 * 1024 ** 3].map(bytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '200 KiB', '3.0 GiB'])
  expect([times(1, 'file'), times(1200, 'line')]).toEqual(['1 file', '1,200 lines'])
})
it('writes commands as a shell would take them', () => {
  expect(commandText(['sh', '-c', 'npm test'])).toBe('npm test')
  expect(commandText(['echo', "it's", 'a b'])).toBe(`echo 'it'\\''s' 'a b'`)
})
it('names the last part of a path', () => {
  expect([baseName('/a/b/'), baseName('C:\\x\\y'), baseName('')]).toEqual(['b', 'y', ''])
})
