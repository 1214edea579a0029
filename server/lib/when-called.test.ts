import { expect, test, vi } from 'vitest'
import { whenCalled } from './when-called.ts'

interface Greeter {
  greet(name: string): Promise<string>
  fail(): Promise<never>
}

test('loads with the first call, once, and can itself be awaited', async () => {
  const load = vi.fn(
    async (): Promise<Greeter> => ({
      greet: async name => `hello ${name}`,
      fail: () => Promise.reject(new Error('no')),
    }),
  )
  const greeter = await Promise.resolve(whenCalled(load))
  expect(load).not.toHaveBeenCalled()
  expect(await Promise.all([greeter.greet('a'), greeter.greet('b')])).toEqual(['hello a', 'hello b'])
  await expect(greeter.fail()).rejects.toThrow('no')
  expect(load).toHaveBeenCalledOnce()
})
