import { expect, test, vi } from 'vitest'
import { doneOnce } from './done-once.ts'

test('does it once for all who ask, and again after a failure that all who waited were told', async () => {
  const work = vi.fn(async (text: string) => text)
  work.mockRejectedValueOnce(new Error('not now'))
  const once = doneOnce(work)
  expect(work).not.toHaveBeenCalled()
  const both = await Promise.allSettled([once('a'), once('b')])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(work).toHaveBeenCalledOnce()
  expect(await Promise.all([once('c'), once('d')])).toEqual(['c', 'c'])
  expect(await once('e')).toBe('c')
  expect(work).toHaveBeenCalledTimes(2)
})
