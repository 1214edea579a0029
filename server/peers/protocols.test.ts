import { expect, test, vi } from 'vitest'
import { ApiError } from '#shared/contract/index.ts'
import { PROTOCOL, type ProtocolRange } from '#shared/model/index.ts'
import { createProtocols, requireCommon } from './protocols.ts'

const peer = { id: 'a'.repeat(26), name: 'desk', address: 'http://127.0.0.1:1' }

test('a node is asked once what it speaks, and again when it was not understood', async () => {
  const ask = vi.fn(async (): Promise<ProtocolRange> => ({ min: 1, max: 1 }))
  const protocols = createProtocols(ask)
  expect(await protocols.with(peer)).toBe(1)
  expect(await protocols.with(peer)).toBe(1)
  expect(ask).toHaveBeenCalledTimes(1)
  ask.mockResolvedValue({ min: 1, max: PROTOCOL.max + 5 })
  protocols.forget(peer.id)
  expect(await protocols.with(peer)).toBe(PROTOCOL.max)
})

test('a node that was updated says so in its card', async () => {
  const protocols = createProtocols(async () => ({ min: 1, max: 1 }))
  await protocols.with(peer)
  protocols.told(peer.id, PROTOCOL)
  expect(await protocols.with(peer)).toBe(PROTOCOL.max)
})

test('one that does not answer is asked again next time', async () => {
  const ask = vi.fn(async () => PROTOCOL)
  ask.mockRejectedValueOnce(new ApiError('peer_unreachable', 'nobody'))
  const protocols = createProtocols(ask)
  await expect(protocols.with(peer)).rejects.toThrow('nobody')
  expect(await protocols.with(peer)).toBe(PROTOCOL.max)
})

test.each([
  [{ min: PROTOCOL.max + 1, max: PROTOCOL.max + 2 }, 'Update Skein on this node.'],
  [{ min: 0, max: PROTOCOL.min - 1 }, 'Update Skein on desk.'],
])('nothing is spoken with a node that speaks %j, and it says which of the two is too old', (range, remedy) => {
  expect(() => requireCommon(range, 'desk')).toThrow(
    `desk speaks protocol ${range.min} to ${range.max}, this node ${PROTOCOL.min} to ${PROTOCOL.max}.`,
  )
  try {
    requireCommon(range, 'desk')
  } catch (error) {
    expect(error).toMatchObject({ code: 'peer_unreachable', extras: { remedy } })
  }
})
