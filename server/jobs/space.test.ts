import { expect, it } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createSpace } from './space.ts'

const MINUTE_MS = 60_000

/** A node of which logs of others' attempts are all there is. */
function make() {
  const clock = virtualClock()
  const disk = { hostedLogBytes: 150, walks: 0, walkMs: 0, freeBytes: 1_000 }
  const sized = (bytes: () => number) => ({ totalBytes: async () => bytes(), size: async () => bytes() })
  const space = createSpace({
    clock,
    store: sized(() => 0),
    logs: sized(() => 0),
    hostedLogs: sized(() => {
      disk.walks += 1
      clock.advance(disk.walkMs)
      return disk.hostedLogBytes
    }),
    workspace: sized(() => 0),
    freeBytes: async () => disk.freeBytes,
    directories: { data: '/nowhere' },
    settings: { storage: { budgetBytes: 100, reserveBytes: 10 } },
  } as never)
  return { clock, disk, space }
}

it('counts what attempts of others left, and refuses work until it is gone', async () => {
  const { disk, space } = make()
  await expect(space.require()).rejects.toMatchObject({ code: 'out_of_space', extras: { missingBytes: 50 } })
  disk.hostedLogBytes = 100
  await space.require()
})

it('waits for the first figure only: later ones are for whoever asks next, and nobody measures all the time', async () => {
  const { clock, disk, space } = make()
  expect([await space.missing(), await space.missing(), disk.walks]).toEqual([50, 50, 1])
  clock.advance(MINUTE_MS)
  disk.hostedLogBytes = 80
  expect(await space.missing()).toBe(50)
  await new Promise(setImmediate)
  expect([await space.missing(), disk.walks]).toEqual([0, 2])
})

it('walks the less the longer a walk takes, and asks the file system for its free space meanwhile', async () => {
  const { clock, disk, space } = make()
  Object.assign(disk, { hostedLogBytes: 50, walkMs: 2_000 })
  await space.require()
  clock.advance(MINUTE_MS)
  disk.freeBytes = 4
  await expect(space.require()).rejects.toMatchObject({ extras: { missingBytes: 6 } })
  expect(disk.walks).toBe(1)
  disk.freeBytes = 1_000
  // Refused: somebody may have freed some.
  await space.require()
  expect(disk.walks).toBe(2)
  clock.advance(2 * MINUTE_MS)
  await space.require()
  expect(disk.walks).toBe(3)
})
