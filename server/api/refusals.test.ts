import { expect, test } from 'vitest'
import type { Log } from '#server/telemetry/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createRefusals, type Refusal } from './refusals.ts'

const refusal: Refusal = {
  remote: '10.0.0.7',
  method: 'POST',
  path: '/v1/peer/award',
  code: 'unauthorized',
  detail: 'This assertion was used before.',
}

function world() {
  const clock = virtualClock()
  const lines: [Record<string, unknown>, string][] = []
  const log = { warn: (...line: [Record<string, unknown>, string]) => void lines.push(line) } as unknown as Log
  return { clock, lines, tell: createRefusals({ clock, log }) }
}

test('the same of the same address is told once a minute, then how often it was', () => {
  const { clock, lines, tell } = world()
  for (let count = 0; count < 1000; count++) tell(refusal)
  tell({ ...refusal, remote: '10.0.0.8' })
  expect(lines.map(([{ remote, detail }]) => [remote, detail])).toEqual([
    ['10.0.0.7', refusal.detail],
    ['10.0.0.8', refusal.detail],
  ])
  clock.advance(60_000)
  tell(refusal)
  expect(lines.slice(2).map(([what]) => what)).toEqual([{ count: 999 }, expect.objectContaining({ remote: '10.0.0.7' })])
})

test('who says something else each time fills no log, nor with long lines', () => {
  const { lines, tell } = world()
  for (let count = 0; count < 1000; count++) tell({ ...refusal, detail: `${count} ${'x'.repeat(10_000)}` })
  expect(lines).toHaveLength(60)
  expect(Math.max(...lines.map(([what]) => JSON.stringify(what).length))).toBeLessThan(1000)
})

test('what happens every day between nodes is not told', () => {
  const { lines, tell } = world()
  tell({ ...refusal, code: 'not_yours' })
  expect(lines).toEqual([])
})
