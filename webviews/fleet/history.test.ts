import { expect, it } from 'vitest'
import type { Peer } from '#shared/model/index.ts'
import { type History, isHistory, linePoints, withPeers, withSample } from './history.ts'

const sample = (at: number, taken: number) => ({ at, taken, slots: 4 })

it('keeps the ends of a time in which nothing changed, and no more', () => {
  let history: History = {}
  for (const [at, taken] of [
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 2],
    [5, 2],
  ] as const)
    history = withSample(history, 'n', sample(at, taken))
  expect(history.n?.map(({ at }) => at)).toEqual([0, 3, 4, 5])
})

it('keeps no more than the last of them', () => {
  let history: History = {}
  for (let at = 0; at < 1000; at++) history = withSample(history, 'n', sample(at, at % 3))
  expect(history.n).toHaveLength(240)
  expect(history.n?.at(-1)?.at).toBe(999)
})

it('draws steps', () => {
  expect(linePoints([sample(0, 0), sample(50, 4)], 100, 100, 10)).toBe('0.0,10.0 50.0,10.0 50.0,0.0 100.0,0.0')
  expect(linePoints([], 100, 100, 10)).toBe('')
})

it('takes changes of peers, and a whole list', () => {
  const peer = (id: string, state: Peer['state'] = 'online') => ({ id, name: id, state }) as Peer
  const two = withPeers([], { whole: true, items: [peer('b'), peer('a')], removed: [] })
  expect(two.map(({ id }) => id)).toEqual(['a', 'b'])
  expect(withPeers(two, { whole: false, items: [peer('c')], removed: ['a'] }).map(({ id }) => id)).toEqual(['b', 'c'])
  expect(withPeers(two, { whole: true, items: [], removed: [] })).toEqual([])
  const away = withPeers(two, { whole: false, items: [peer('a', 'offline')], removed: [] })
  expect(away.map(({ id }) => id)).toEqual(['b', 'a'])
})

it('takes for a history what is one', () => {
  expect([{}, { n: [sample(0, 1)] }].every(isHistory)).toBe(true)
  expect([null, 'x', { n: 1 }, { n: [null] }, { n: [{ at: 0, taken: '<', slots: 1 }] }].some(isHistory)).toBe(false)
})
