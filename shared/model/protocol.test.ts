import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { commonProtocol, downgrade, PROTOCOL, since } from './protocol.ts'

test.each([
  [{ min: 1, max: 1 }, { min: 1, max: 2 }, 1],
  [{ min: 1, max: 2 }, { min: 1, max: 2 }, 2],
  [{ min: 2, max: 3 }, { min: 1, max: 2 }, 2],
  [{ min: 3, max: 4 }, { min: 1, max: 2 }, null],
  [{ min: 1, max: 1 }, { min: 2, max: 2 }, null],
])('%j and %j speak %j', (one, other, common) => {
  expect(commonProtocol(one, other)).toBe(common)
  expect(commonProtocol(other, one)).toBe(common)
})

describe('for a node of an older protocol', () => {
  const Kind = z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('old'), more: since(2, z.number().optional()) }),
    since(2, z.strictObject({ kind: z.literal('new') })),
  ])
  const Message = z.strictObject({
    name: z.string(),
    added: since(2, z.string().default('')),
    inner: z.strictObject({ deep: since(2, z.boolean().default(false)), kept: z.number() }).nullable(),
    list: z.array(z.strictObject({ n: z.number(), body: Kind })),
    kind: Kind.optional(),
  })
  const message = {
    name: 'a',
    added: 'b',
    inner: { deep: true, kept: 1 },
    list: [
      { n: 1, body: { kind: 'old', more: 5 } },
      { n: 2, body: { kind: 'new' } },
    ],
    kind: { kind: 'old', more: 1 },
  }

  test('what it does not know is left out, wherever it is; of a list, the items whose kind it does not know', () => {
    expect(downgrade(Message, message, 1)).toEqual({
      name: 'a',
      inner: { kept: 1 },
      list: [{ n: 1, body: { kind: 'old' } }],
      kind: { kind: 'old' },
    })
    expect(downgrade(Message, { ...message, inner: null }, 1)).toMatchObject({ inner: null })
  })

  test('nothing is left out for one that knows it all', () => {
    expect(downgrade(Message, message, PROTOCOL.max)).toBe(message)
  })
})
