import { expect, it } from 'vitest'
import { createJobList } from './job-list.ts'
import type { Memory } from './started.ts'

function memoryOf(kept: Record<string, unknown>): Memory {
  return {
    get: <T>(key: string, otherwise: T) => (key in kept ? (kept[key] as T) : otherwise),
    update: async (key, value) => {
      kept[key] = structuredClone(value)
    },
  }
}

it('keeps what was wished over a reload of the window', () => {
  const kept = {}
  createJobList(memoryOf(kept)).change({ grouping: 'spec', groups: ['failed', 'active'], text: 'login', onlyHere: true })
  expect(createJobList(memoryOf(kept)).wishes).toEqual({
    grouping: 'spec',
    groups: ['active', 'failed'],
    text: 'login',
    onlyHere: true,
  })
})

it('takes all states, or none, for no filter', () => {
  const list = createJobList(memoryOf({}))
  list.change({ groups: ['active', 'queued', 'succeeded', 'failed', 'cancelled'] })
  expect(list.wishes.groups).toBeNull()
  list.change({ groups: [] })
  expect(list.wishes.groups).toBeNull()
})

it('takes of what was kept what it understands', () => {
  for (const kept of [null, 'x', { grouping: 'node', groups: ['paused', 'failed'], text: 5, onlyHere: 1 }]) {
    const { wishes } = createJobList(memoryOf({ 'skein.jobs.list': kept }))
    expect(wishes).toEqual({
      ...{ grouping: 'state', text: '', onlyHere: false },
      groups: kept !== null && typeof kept === 'object' ? ['failed'] : null,
    })
  }
})
