import { expect, it } from 'vitest'
import type { Followed } from '../backend/backend.ts'
import { followJob } from './follow.ts'

function source() {
  let tell = (_: Followed) => {}
  let isOpen = true
  const follow = (_topic: unknown, cursor: number | undefined, listener: (followed: Followed) => void) => {
    expect(cursor).toBe(0)
    tell = listener
    return {
      dispose() {
        isOpen = false
      },
    }
  }
  return { backend: { follow }, say: (item: Followed['item']) => tell({ cursor: null, item }), isOpen: () => isOpen }
}
const ID = 'a'.repeat(14)

it('ends with the job, or when nobody wants to hear more, and leaves nothing open', async () => {
  const ended = source()
  const first = followJob(ended.backend, ID, () => {}, new AbortController().signal)
  ended.say({ type: 'end' })
  expect(await first).toBe(true)
  const left = source()
  const abort = new AbortController()
  const second = followJob(left.backend, ID, () => {}, abort.signal)
  abort.abort()
  expect(await second).toBe(false)
  expect([ended.isOpen(), left.isOpen()]).toEqual([false, false])
})

it('fails with the reason for which it cannot be heard of', async () => {
  const { backend, say, isOpen } = source()
  const following = followJob(backend, ID, () => {}, new AbortController().signal)
  say({ type: 'error', problem: { type: 't', title: 'T', status: 404, code: 'not_found', detail: 'There is no such job.' } })
  await expect(following).rejects.toThrow('There is no such job.')
  expect(isOpen()).toBe(false)
})
