import { describe, expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import { assertionFor, createVerifier, sha256 } from './assertion.ts'
import { checkNodeProof, proveNode } from './node-proof.ts'

const node = makeIdentity()
const asked = { node: node.nodeId, publicKey: node.publicKey, nonce: 'n'.repeat(20), address: '100.64.0.2' }
const prove = (said: { nonce?: string; addresses?: string[] } = {}) =>
  proveNode(node, { nonce: asked.nonce, addresses: ['100.64.0.2', 'fd7a:115c:a1e0::2'], ...said })

describe('a node proves its key and its address', () => {
  test('to who asked', async () => {
    await checkNodeProof(await prove(), asked)
  })

  test('not with an answer to another question', async () => {
    await expect(checkNodeProof(await prove({ nonce: 'm'.repeat(20) }), asked)).rejects.toThrow('another question')
  })

  test('not with an answer that was had from a node at another address', async () => {
    await expect(checkNodeProof(await prove({ addresses: ['100.64.0.3'] }), asked)).rejects.toThrow('100.64.0.3')
    await expect(checkNodeProof(await prove({ addresses: [] }), asked)).rejects.toThrow('no address')
  })

  test('not with the key of another, or none', async () => {
    const other = makeIdentity()
    const forged = await proveNode({ ...other, nodeId: node.nodeId }, { nonce: asked.nonce, addresses: [asked.address] })
    await expect(checkNodeProof(forged, asked)).rejects.toThrow('signature')
    await expect(checkNodeProof(undefined, asked)).rejects.toThrow('does not prove')
    await expect(checkNodeProof('e30.e30.e30', asked)).rejects.toThrow()
  })

  test('and what proves that proves no request, nor the other way round', async () => {
    const clock = virtualClock()
    const request = { method: 'GET', path: '/v1/peer/card', bodySha256: sha256('') }
    const verifier = createVerifier({ self: node.nodeId, keyOf: async () => node, clock })
    await expect(verifier.verify(`Skein ${await prove()}`, request)).rejects.toMatchObject({ code: 'unauthorized' })
    const assertion = await assertionFor(node, node.nodeId, request, clock)
    await expect(checkNodeProof(assertion.slice('Skein '.length), asked)).rejects.toThrow('typ')
  })
})
