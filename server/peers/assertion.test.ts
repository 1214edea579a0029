import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { assertionFor, createVerifier, isAssertion, type SignedRequest, sha256 } from './assertion.ts'
import type { Identity } from './identity.ts'

const home = makeIdentity()
const worker = makeIdentity()
const stranger = makeIdentity()
const request: SignedRequest = { method: 'POST', path: '/v1/peer/announce?a=1', bodySha256: sha256('{}') }
const START = Date.UTC(2026, 0, 1)

function world() {
  const clock = virtualClock(START)
  const verifier = createVerifier({
    self: worker.nodeId,
    keyOf: async id => (id === home.nodeId ? home : null),
    clock,
  })
  return { clock, verifier, sign: (audience = worker.nodeId) => assertionFor(home, audience, request, clock) }
}

/** An assertion with everything right but what is given. */
function forged(
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
  key: Identity['privateKey'] = home.privateKey,
) {
  const now = START / 1000
  const all = { iss: home.nodeId, aud: worker.nodeId, iat: now, exp: now + 30, jti: randomUUID() }
  const bound = { method: request.method, path: request.path, body: request.bodySha256 }
  return new SignJWT({ ...all, ...bound, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'skein-request+jwt', ...header })
    .sign(key)
    .then(token => `Skein ${token}`)
}

describe('an assertion', () => {
  test('says who asks', async () => {
    const { verifier, sign } = world()
    const authorization = await sign()
    expect(isAssertion(authorization)).toBe(true)
    expect(await verifier.verify(authorization, request)).toMatchObject({ node: home.nodeId })
    expect(await verifier.verify(await forged({}), request)).toMatchObject({ node: home.nodeId })
  })

  test('is good for exactly one request, whatever that is', async () => {
    const piece = fc.record({ method: fc.constantFrom('GET', 'POST', 'PUT'), path: fc.webPath(), body: fc.string() })
    await fc.assert(
      fc.asyncProperty(piece, piece, async (one, other) => {
        const { clock, verifier } = world()
        const bound = ({ method, path, body }: typeof one) => ({ method, path, bodySha256: sha256(body) })
        const authorization = await assertionFor(home, worker.nodeId, bound(one), clock)
        const isSame = JSON.stringify(one) === JSON.stringify(other)
        const answer = verifier.verify(authorization, bound(other))
        if (isSame) expect(await answer).toMatchObject({ node: home.nodeId })
        else await expect(answer).rejects.toMatchObject({ code: 'unauthorized' })
      }),
    )
  })

  test('is refused when any character of it is changed', async () => {
    const { verifier, sign } = world()
    const whole = await sign()
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'
    await fc.assert(
      // The last character of a signature carries bits that mean nothing, so it is left alone.
      fc.asyncProperty(fc.nat(whole.length - 8), fc.constantFrom(...alphabet), async (at, letter) => {
        const index = at + 6
        fc.pre(whole[index] !== letter)
        const changed = whole.slice(0, index) + letter + whole.slice(index + 1)
        await expect(verifier.verify(changed, request)).rejects.toMatchObject({ code: 'unauthorized' })
      }),
    )
    expect(await verifier.verify(whole, request)).toMatchObject({ node: home.nodeId })
  })

  test.each(['', 'Skein', 'Skein ', 'Skein a.b.c', 'Bearer x', 'Skein ..', `Skein ${'a'.repeat(100_000)}`])(
    'is not %.20j',
    text => expect(world().verifier.verify(text, request)).rejects.toMatchObject({ code: 'unauthorized' }),
  )
})

describe('refused', () => {
  const refuses = async (authorization: Promise<string> | string, words: string, asked = request, at = world()) =>
    expect(at.verifier.verify(await authorization, asked)).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining(words),
      extras: { remedy: expect.any(String) },
    })

  test('one for another node', () => refuses(world().sign(stranger.nodeId), stranger.nodeId))
  test('one for several nodes', () => refuses(forged({ aud: [worker.nodeId, stranger.nodeId] }), 'no assertion'))
  test('a node that is not known', () => refuses(forged({ iss: stranger.nodeId }, {}, stranger.privateKey), 'not trusted'))
  test('a known name with another key', () => refuses(forged({}, {}, stranger.privateKey), 'signature'))
  test('another method', () => refuses(world().sign(), 'is for POST', { ...request, method: 'PUT' }))
  test('another path', () => refuses(world().sign(), 'is for POST', { ...request, path: '/v1/peer/announce?a=2' }))
  test('another body', () => refuses(world().sign(), 'body', { ...request, bodySha256: sha256('{ }') }))
  test('a token of another use', () => refuses(forged({}, { typ: 'JWT' }), 'typ'))
  test('a long life', () => refuses(forged({ exp: START / 1000 + 3600 }), 'too long'))
  test.each(['iss', 'aud', 'iat', 'exp', 'jti', 'method', 'path', 'body'])('one without %s', name =>
    refuses(forged({ [name]: undefined }), 'no assertion'),
  )

  test('no signature at all', () => {
    const claims = { iss: home.nodeId, aud: worker.nodeId, jti: randomUUID(), iat: START / 1000, exp: START / 1000 + 30 }
    const bound = { method: request.method, path: request.path, body: request.bodySha256 }
    return refuses(`Skein ${new UnsecuredJWT({ ...claims, ...bound }).encode()}`, 'signature')
  })

  test('the public key as a shared secret', async () => {
    const token = await new SignJWT({
      iss: home.nodeId,
      aud: worker.nodeId,
      iat: START / 1000,
      exp: START / 1000 + 30,
      jti: randomUUID(),
      method: request.method,
      path: request.path,
      body: request.bodySha256,
    })
      .setProtectedHeader({ alg: 'HS256', typ: 'skein-request+jwt' })
      .sign(Buffer.from(home.publicKey, 'base64url'))
    await refuses(`Skein ${token}`, 'alg')
  })

  test('a clock that differs by more than 30 s, in both directions', async () => {
    await refuses(forged({ iat: START / 1000 + 31, exp: START / 1000 + 61 }), 'clock')
    await refuses(forged({ iat: START / 1000 - 61, exp: START / 1000 - 31 }), 'clock')
    const { verifier } = world()
    expect(await verifier.verify(await forged({ iat: START / 1000 + 30, exp: START / 1000 + 60 }), request)).toMatchObject({
      node: home.nodeId,
    })
  })

  test('a replay, for as long as it would be taken', async () => {
    const at = world()
    const authorization = await at.sign()
    await at.verifier.verify(authorization, request)
    for (let second = 0; second < 120; second += 10) {
      await expect(at.verifier.verify(authorization, request)).rejects.toMatchObject({ code: 'unauthorized' })
      at.clock.advance(10_000)
    }
  })

  test('a key ends with the trust in it', async () => {
    const clock = virtualClock(START)
    let key: string | null = home.publicKey
    const verifier = createVerifier({ self: worker.nodeId, keyOf: async () => (key !== null ? { publicKey: key } : null), clock })
    await verifier.verify(await assertionFor(home, worker.nodeId, request, clock), request)
    key = null
    await expect(verifier.verify(await assertionFor(home, worker.nodeId, request, clock), request)).rejects.toThrow('not trusted')
  })
})
