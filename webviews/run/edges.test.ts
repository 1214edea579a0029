import { expect, it } from 'vitest'
import { edgesOf, pathOf, waitersOf } from './edges.ts'

it('lead from each task to those that wait for it, where both are there', () => {
  const edges = edgesOf([
    { id: 'T001', after: ['T001', 'T900'] },
    { id: 'T002', after: ['T001', 'T001'] },
    { id: 'T003', after: ['T001', 'T002'] },
  ])
  expect(edges.map(({ from, to }) => `${from}>${to}`)).toEqual(['T001>T002', 'T001>T003', 'T002>T003'])
  expect([...waitersOf(edges)]).toEqual([
    ['T001', ['T002', 'T003']],
    ['T002', ['T003']],
  ])
})

it('go down into what is below, and around what is not', () => {
  const box = (left: number, top: number) => ({ left, top, width: 100, height: 40 })
  expect(pathOf(box(0, 0), box(200, 100))).toBe('M 50 40 C 50 70 250 70 250 100')
  expect(pathOf(box(0, 100), box(200, 0))).toBe('M 100 120 C 318 120 318 20 300 20')
  // Below, past others.
  expect(pathOf(box(0, 0), box(0, 200))).toBe('M 100 20 C 118 20 118 220 100 220')
  // Side by side is not below.
  expect(pathOf(box(0, 0), box(200, 0))).toBe('M 100 20 C 318 20 318 20 300 20')
})
