import { expect, it, vi } from 'vitest'
import { ApiError } from '#shared/contract/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { AGAIN_MS, createEnding } from './ending.ts'

const ID = 'aaaaaa11111111'
const turn = () => new Promise(setImmediate)

/** An ending whose disk is full until told otherwise. */
function setUp() {
  const clock = virtualClock()
  const disk: { full: boolean; held: Promise<void> } = { full: true, held: Promise.resolve() }
  const job = vi.fn(async () => {
    await disk.held
    if (disk.full) throw new ApiError('out_of_space', 'The disk is full.')
    return null
  })
  const log = { error: () => {}, warn: () => {} }
  const ending = createEnding({ clock, store: { job }, log } as never, {} as never, () => false)
  return { clock, disk, job, ending }
}

it('tries again what a full disk kept from it, until it stops', async () => {
  const { clock, job, ending } = setUp()
  await ending.finish(ID)
  await ending.finish(ID)
  expect(clock.waiting()).toBe(1)
  clock.advance(AGAIN_MS)
  await turn()
  expect([job.mock.calls.length, clock.waiting()]).toEqual([3, 1])
  await ending.stop()
  expect(clock.waiting()).toBe(0)
})

it('stops when what is under way is through, and does not begin anew', async () => {
  const { clock, disk, job, ending } = setUp()
  await ending.finish(ID)
  const held = Promise.withResolvers<void>()
  disk.held = held.promise
  clock.advance(AGAIN_MS)
  const stopped = vi.fn()
  const stopping = ending.stop().then(stopped)
  await turn()
  expect(stopped).not.toHaveBeenCalled()
  held.resolve()
  await stopping
  expect([job.mock.calls.length, clock.waiting()]).toEqual([2, 0])
})
