import { expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createStopwatch } from './stopwatch.ts'

function make(isFromStart = true) {
  const clock = virtualClock()
  const watch = createStopwatch(clock, isFromStart)
  return { clock, watch }
}

test('times an attempt from the arrival of its work, and not what comes after its end', () => {
  const { clock, watch } = make()
  clock.advance(500)
  watch.arrived()
  clock.advance(100)
  watch.heard('placing', false)
  clock.advance(200)
  watch.heard('preparing', false)
  clock.advance(1_000)
  watch.heard('checking', true)
  clock.advance(9_000)
  watch.missed()
  watch.heard('checking', true)
  expect(watch.times()).toEqual({ startMs: 300, runMs: 1_000 })
})

test('says nothing of an attempt that it did not hear all of, or that never started', () => {
  const late = make(false)
  late.watch.arrived()
  late.watch.heard('running', true)
  const gap = make()
  gap.watch.arrived()
  gap.watch.missed()
  gap.watch.heard('running', false)
  gap.watch.heard('running', true)
  const unstarted = make()
  unstarted.watch.arrived()
  unstarted.watch.heard('placing', true)
  expect([late, gap, unstarted].map(({ watch }) => watch.times())).toEqual([null, null, null])
})
