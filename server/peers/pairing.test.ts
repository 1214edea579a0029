import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PROTOCOL } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createPairingCodes, proofOf, sameProof, type Transcript } from './pairing.ts'

const info = (letter: string) => ({
  node: letter.repeat(26),
  name: letter,
  publicKey: letter.repeat(43),
  version: '1',
  protocol: PROTOCOL,
})
const transcript: Transcript = { caller: info('a'), callee: info('b'), nonce: 'n'.repeat(16) }
const MINUTE = 60_000

describe('a code', () => {
  test('has 100 bits in groups', () =>
    expect(createPairingCodes(virtualClock()).create().code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}$/))

  test('lets one node in, once, however it is typed', () => {
    const codes = createPairingCodes(virtualClock())
    const { code } = codes.create()
    const proof = proofOf(code.toLowerCase().replaceAll('-', ' '), 'caller', transcript)
    expect(codes.redeem(proof, transcript)).toBe(code)
    expect(() => codes.redeem(proof, transcript)).toThrow('was used')
  })

  test('ends after ten minutes', () => {
    const clock = virtualClock()
    const codes = createPairingCodes(clock)
    const [late, soon] = [codes.create().code, codes.create().code]
    clock.advance(10 * MINUTE - 1)
    codes.redeem(proofOf(soon, 'caller', transcript), transcript)
    clock.advance(1)
    expect(() => codes.redeem(proofOf(late, 'caller', transcript), transcript)).toThrow('10 minutes')
  })

  test('does not live longer when the wall clock is set back', () => {
    const clock = virtualClock()
    const codes = createPairingCodes(clock)
    const { code } = codes.create()
    clock.advance(11 * MINUTE)
    clock.step(-5 * MINUTE)
    expect(() => codes.redeem(proofOf(code, 'caller', transcript), transcript)).toThrow('10 minutes')
  })

  test('takes five wrong tries a minute, and then not even the right one', () => {
    const clock = virtualClock()
    const codes = createPairingCodes(clock)
    const { code } = codes.create()
    const attempt = (text: string) => () => codes.redeem(proofOf(text, 'caller', transcript), transcript)
    for (let n = 0; n < 5; n++) expect(attempt('0000-0000')).toThrow(expect.objectContaining({ code: 'pairing_refused' }))
    expect(attempt(code)).toThrow(expect.objectContaining({ code: 'too_many_requests' }))
    clock.advance(MINUTE)
    expect(attempt(code)()).toBe(code)
  })
})

describe('a proof', () => {
  test('holds for one transcript and one side only', () => {
    const word = fc.string({ minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(
        word,
        fc.constantFrom('caller', 'callee'),
        fc.constantFrom('node', 'publicKey'),
        word,
        (code, who, what, put) => {
          const other = { ...transcript, [who]: { ...transcript[who], [what]: put } }
          const proof = proofOf(code, 'caller', transcript)
          expect(sameProof(proof, proofOf(code, 'caller', other))).toBe(false)
          expect(sameProof(proof, proofOf(code, 'callee', transcript))).toBe(false)
          expect(sameProof(proof, proofOf(code, 'caller', { ...transcript, nonce: put }))).toBe(false)
          expect(sameProof(proof, proof)).toBe(true)
        },
      ),
    )
  })

  test('a man in the middle, who shows each side a key of his own, has no proof that holds', () => {
    const codes = createPairingCodes(virtualClock())
    const { code } = codes.create()
    const middle = info('m')
    const fromCaller = proofOf(code, 'caller', { ...transcript, callee: middle })
    expect(() => codes.redeem(fromCaller, { ...transcript, caller: middle })).toThrow('wrong')
    expect(() => codes.redeem(fromCaller, transcript)).toThrow('wrong')
  })
})
