import { expect, test } from 'vitest'
import { createGate } from './gate.ts'

test('many share, one is alone, and a failure lets the next in', async () => {
  const gate = createGate()
  const log: string[] = []
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const enter =
    (name: string, until: Promise<void> = Promise.resolve()) =>
    async () => {
      log.push(`+${name}`)
      await until
      log.push(`-${name}`)
    }
  const all = [
    gate.shared(enter('one', first.promise)),
    gate.shared(enter('two', second.promise)),
    gate.alone(enter('alone')),
    gate.alone(() => Promise.reject(new Error('failed'))).catch(() => log.push('failed')),
    gate.shared(enter('after')),
  ]
  second.resolve()
  await all[1]
  expect(log).toEqual(['+one', '+two', '-two'])
  first.resolve()
  await Promise.all(all)
  expect(log.slice(3)).toEqual(['-one', '+alone', '-alone', 'failed', '+after', '-after'])
})
