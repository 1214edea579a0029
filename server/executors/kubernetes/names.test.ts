import fc from 'fast-check'
import { expect, test } from 'vitest'
import { labelValue, sandboxName } from './names.ts'

const any = fc.oneof(fc.string({ maxLength: 300 }), fc.stringMatching(/^[a-zA-Z0-9._-]{1,130}$/))

test('every text becomes a label that Kubernetes takes, and different texts different ones', () => {
  fc.assert(fc.property(any, text => /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(labelValue(text))))
  fc.assert(fc.property(any, any, (one, other) => one === other || labelValue(one) !== labelValue(other)))
  expect(labelValue('01J5XW3F8K2M4N')).toBe('01J5XW3F8K2M4N')
  expect(labelValue('a'.repeat(64))).toMatch(/^a{46}-[0-9a-f]{16}$/)
  expect(labelValue('')).toMatch(/^[0-9a-f]{16}$/)
})

test('every sandbox has a name that a Job, its pods and a Secret can have', () => {
  fc.assert(fc.property(any, any, (node, id) => /^[a-z]([a-z0-9-]{0,55}[a-z0-9])$/.test(sandboxName(node, id))))
  expect(sandboxName('n', '01J5XW.3.result')).toMatch(/^skein-01j5xw-3-result-[0-9a-f]{16}$/)
})

test('the same sandbox of two nodes has two names', () => {
  expect(sandboxName('one', 'x')).not.toBe(sandboxName('two', 'x'))
})
