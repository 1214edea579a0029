import { expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import type { MeshMember } from './peer-directory.ts'
import { createProbing } from './probing.ts'

const member = (id: string, address = `100.64.0.${id.length}`): MeshMember => ({
  id,
  name: id,
  addresses: [address],
  user: null,
  tags: [],
  isOnline: true,
})
const settled = () => new Promise(resolve => setImmediate(resolve))

function world() {
  const clock = virtualClock()
  const asked: string[] = []
  const nodes = new Set<string>()
  const probing = createProbing({
    clock,
    isDone: ({ id }) => nodes.has(id),
    async probe({ id }) {
      asked.push(id)
      if (!nodes.has(id)) throw new Error('no node')
    },
  })
  const pass = async (ms: number, step = 1_000) => {
    for (let left = ms; left > 0; left -= step) {
      clock.advance(Math.min(step, left))
      await settled()
    }
  }
  return { clock, asked, nodes, probing, pass }
}

test('a machine that is no node is asked ever less often', async () => {
  const { asked, probing, pass, clock } = world()
  probing.follow([member('a')])
  await settled()
  const times: number[] = []
  for (let count = asked.length; clock.monotonic() < 30 * 60_000; ) {
    await pass(1_000)
    if (asked.length > count) times.push(Math.round(clock.monotonic() / 1000))
    count = asked.length
  }
  expect(times.slice(0, 6)).toEqual([10, 30, 70, 150, 310, 610])
})

test('one that shows it may be a node is asked at once, but not on and on', async () => {
  const { asked, probing, pass } = world()
  probing.follow([member('a')])
  await pass(200_000)
  const before = asked.length
  expect(probing.soon('a')).toBe(true)
  await settled()
  expect(asked.length).toBe(before + 1)
  for (let turn = 0; turn < 100; turn++) probing.soon('a')
  await settled()
  expect(asked.length).toBe(before + 1)
  await pass(1_000)
  expect(asked.length).toBe(before + 2)
  expect(probing.soon('b')).toBe(false)
})

test('a node that is known and answers is left alone, and asked again when it does not', async () => {
  const { asked, nodes, probing, pass } = world()
  nodes.add('a')
  probing.follow([member('a')])
  await pass(300_000)
  probing.soon('a')
  await settled()
  expect(asked).toEqual([])
  nodes.delete('a')
  await pass(60_000)
  expect(asked.length).toBeGreaterThan(0)
})

test('one that comes anew, or at another address, is asked at once; one that left is not asked', async () => {
  const { asked, probing, pass, clock } = world()
  probing.follow([member('a')])
  await pass(100_000)
  const before = asked.length
  probing.follow([member('a', '100.64.9.9'), member('bb')])
  await settled()
  expect(asked.slice(before)).toEqual(['a', 'bb'])
  probing.follow([])
  await pass(600_000)
  expect(asked.length).toBe(before + 2)
  expect(clock.waiting()).toBe(0)
})

test('a tailnet of thousands is asked by a few at a time, and whole', async () => {
  const clock = virtualClock()
  let running = 0
  let most = 0
  const asked = new Set<string>()
  const probing = createProbing({
    clock,
    isDone: () => false,
    async probe({ id }) {
      running += 1
      most = Math.max(most, running)
      await settled()
      running -= 1
      asked.add(id)
    },
  })
  probing.follow(Array.from({ length: 2_000 }, (_, index) => member(`m${index}`)))
  while (asked.size < 2_000) await settled()
  expect(most).toBe(16)
})

test('one that knocks while it is asked, and was not there yet, is asked again soon', async () => {
  const clock = virtualClock()
  const answers: PromiseWithResolvers<void>[] = []
  const probing = createProbing({
    clock,
    isDone: () => false,
    probe() {
      const answer = Promise.withResolvers<void>()
      answers.push(answer)
      return answer.promise
    },
  })
  probing.follow([member('a')])
  expect(probing.soon('a')).toBe(true)
  clock.advance(5_000)
  answers[0]?.reject(new Error('no node'))
  await settled()
  clock.advance(0)
  expect(answers).toHaveLength(2)
  answers[1]?.reject(new Error('no node'))
  await settled()
  clock.advance(9_000)
  expect(answers).toHaveLength(2)
})
