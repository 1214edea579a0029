import { expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { within } from './within.ts'

/** A task that ends only by its signal. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  })

test('a task is aborted when its time is over, on the clock it was given', async () => {
  const clock = virtualClock()
  const over = within(clock, 500, null, untilAborted)
  clock.advance(499)
  expect(clock.waiting()).toBe(1)
  clock.advance(1)
  await expect(over).rejects.toMatchObject({ name: 'TimeoutError', message: 'It took longer than 500 ms' })
})

test('a task is aborted with its caller, for the reason of its caller', async () => {
  const caller = new AbortController()
  const clock = virtualClock()
  const over = within(clock, 500, caller.signal, untilAborted)
  caller.abort('away')
  await expect(over).rejects.toBe('away')
  await expect(within(clock, 500, caller.signal, untilAborted)).rejects.toBe('away')
  expect(clock.waiting()).toBe(0)
})

test('a task that ends leaves no timer', async () => {
  const clock = virtualClock()
  expect(await within(clock, 500, null, async () => 'done')).toBe('done')
  expect(clock.waiting()).toBe(0)
})
