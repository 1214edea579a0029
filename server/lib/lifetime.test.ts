import { expect, it } from 'vitest'
import { Lifetime } from './lifetime.ts'

it('undoes in reverse order, goes on past failures, and tells of all of them', async () => {
  const undone: string[] = []
  const life = new Lifetime()
  life.defer(() => void undone.push('first'))
  life.use({
    close() {
      undone.push('second')
      throw new Error('stuck')
    },
  })
  life.defer(async () => void undone.push('third'))
  await expect(life[Symbol.asyncDispose]()).rejects.toMatchObject({ errors: [{ message: 'stuck' }] })
  expect(undone).toEqual(['third', 'second', 'first'])
  await life[Symbol.asyncDispose]()
  expect(undone).toHaveLength(3)
})
