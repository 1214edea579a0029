import { expect, it } from 'vitest'
import type { ExecutorCapacity } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createExecutorRoom } from './executor-room.ts'

const places = (count: number): ExecutorCapacity => ({
  ...{ cpuCores: 4, memoryBytes: 2 ** 33, gpuCount: 0, places: count, images: [], full: null },
})

/** An executor that answers when it is told to. */
function cluster() {
  const clock = virtualClock()
  const asked: PromiseWithResolvers<ExecutorCapacity | null>[] = []
  const executor = {
    kind: 'kubernetes' as const,
    capacity() {
      const answer = Promise.withResolvers<ExecutorCapacity | null>()
      asked.push(answer)
      return answer.promise
    },
  }
  return { clock, asked, room: createExecutorRoom({ executors: [executor], clock }) }
}

it('asks an executor once in ten seconds, whoever wants to know', async () => {
  const { clock, asked, room } = cluster()
  const first = [room.of('kubernetes'), room.of('kubernetes')]
  asked[0]?.resolve(places(3))
  for (const found of await Promise.all(first)) expect(found).toMatchObject({ ageMs: 0, capacity: { places: 3 } })
  clock.advance(10_000)
  expect(await room.of('kubernetes')).toMatchObject({ ageMs: 10_000 })
  expect(asked).toHaveLength(1)
  clock.advance(1)
  const again = room.of('kubernetes')
  asked[1]?.resolve(places(1))
  expect(await again).toMatchObject({ ageMs: 0, capacity: { places: 1 } })
})

it('does not wait for one that does not answer: what it said before counts', async () => {
  const { clock, asked, room } = cluster()
  const first = room.of('kubernetes')
  asked[0]?.resolve(places(3))
  await first
  clock.advance(20_000)
  const silent = room.of('kubernetes')
  clock.advance(400)
  expect(await silent).toMatchObject({ ageMs: 20_400, capacity: { places: 3 } })
})

it('holds nothing against a job that cannot be found out', async () => {
  const { clock, asked, room } = cluster()
  const first = room.of('kubernetes')
  asked[0]?.resolve(places(0))
  await first
  clock.advance(20_000)
  const failed = room.of('kubernetes')
  asked[1]?.reject(new Error('connection refused'))
  expect(await failed).toBeNull()
  expect(await room.of('nothing')).toBeNull()
})

it('tells what was heard last without waiting, and has it asked for', async () => {
  const { clock, asked, room } = cluster()
  expect(room.lastHeard()).toEqual([])
  asked[0]?.resolve(places(3))
  await room.of('kubernetes')
  clock.advance(60_000)
  expect(room.lastHeard()).toEqual([{ kind: 'kubernetes', capacity: places(3) }])
  expect(asked).toHaveLength(1)
  clock.advance(1)
  expect(room.lastHeard()).toEqual([{ kind: 'kubernetes', capacity: places(3) }])
  expect(asked).toHaveLength(2)
})
