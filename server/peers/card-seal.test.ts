import { describe, expect, test } from 'vitest'
import { CARD_CHARS } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { assertionFor, sha256 } from './assertion.ts'
import { createCardSeal } from './card-seal.ts'

const identity = makeIdentity()
const other = makeIdentity()
const clock = virtualClock()
const seal = createCardSeal({ identity, clock })
const card = makeCard(identity.nodeId)
/** A card as another node would sign it, whoever it says it is. */
const forged = (node: string) => createCardSeal({ identity: { ...other, nodeId: node }, clock }).sign(makeCard(node))

test('what was signed is opened by the key, and by no other', async () => {
  const jws = await seal.sign(card)
  expect(await seal.peek(jws)).toEqual({ node: identity.nodeId, seq: 1 })
  expect(await seal.open(jws, identity.publicKey)).toMatchObject({ card, jws, goodForMs: 630_000 })
  await expect(seal.open(jws, other.publicKey)).rejects.toThrow(/signature/)
})

test('what a node of a later protocol says of itself is opened as far as it is known here, and passed on whole', async () => {
  const later = { ...card, warmth: 1, capacity: { ...card.capacity, npuCount: 1 } }
  const executors = [{ kind: 'process', isolation: 'process' } as const, { kind: 'enclave', isolation: 'enclave' } as never]
  const jws = await seal.sign({ ...later, executors })
  expect(await seal.open(jws, identity.publicKey)).toMatchObject({ card: { ...card, executors: executors.slice(0, 1) }, jws })
})

describe('is not believed', () => {
  test('a card in the name of another', async () => {
    await expect(seal.open(await forged(identity.nodeId), identity.publicKey)).rejects.toThrow(/signature/)
    const misnamed = await createCardSeal({ identity, clock }).sign(makeCard(other.nodeId))
    await expect(seal.open(misnamed, identity.publicKey)).rejects.toThrow(/signed a card of/)
  })

  test('one that was changed on its way', async () => {
    const [head, body = '', signature] = (await seal.sign(card)).split('.')
    const changed = Buffer.from(Buffer.from(body, 'base64url').toString().replace('"busy":0', '"busy":9')).toString('base64url')
    await expect(seal.open(`${head}.${changed}.${signature}`, identity.publicKey)).rejects.toThrow(/signature/)
  })

  test('one past its time, or from the future', async () => {
    const now = virtualClock()
    const mine = createCardSeal({ identity, clock: now })
    const jws = await mine.sign(card)
    now.advance(629_000)
    await mine.open(jws, identity.publicKey)
    now.advance(2_000)
    await expect(mine.open(jws, identity.publicKey)).rejects.toThrow(/exp/)
    now.step(-1_000_000)
    await expect(mine.open(jws, identity.publicKey)).rejects.toThrow(/future/)
  })

  test('an assertion of a request, which the same key signed', async () => {
    const request = { method: 'GET', path: '/', bodySha256: sha256('') }
    const jws = (await assertionFor(identity, other.nodeId, request, clock)).replace('Skein ', '')
    await expect(seal.open(jws, identity.publicKey)).rejects.toThrow(/typ/)
    expect(await seal.peek(jws)).toBeNull()
  })

  test.each(['', 'a.b.c', 'x'])('%j', async text => {
    expect(await seal.peek(text)).toBeNull()
    await expect(seal.open(text, identity.publicKey)).rejects.toThrow()
  })
})

test('a card that is too long leaves out what only helps to choose whom to ask', async () => {
  const repositories = Array.from({ length: 1000 }, (_, number) => `${number}`.padStart(64, 'r'))
  const jws = await seal.sign({ ...card, repositories, models: ['m'] })
  expect(jws.length).toBeLessThanOrEqual(CARD_CHARS)
  const { card: opened } = await seal.open(jws, identity.publicKey)
  expect(opened.repositories.length).toBeGreaterThan(100)
  expect(opened.repositories).toEqual(repositories.slice(0, opened.repositories.length))
})
