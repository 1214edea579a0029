import { ApiError } from '#shared/contract/index.ts'
import { commonProtocol, type NodeId, PROTOCOL, type ProtocolRange } from '#shared/model/index.ts'

/** Which protocol is spoken with which node: asked once, and again when the node was not understood. */
export interface Protocols {
  /** @throws {ApiError} `peer_unreachable` when there is none that both speak, or the node does not answer */
  with(node: { readonly id: NodeId; readonly name: string; readonly address: string }): Promise<number>
  /** What a node said of itself. */
  told(node: NodeId, range: ProtocolRange): void
  /** What was known of it may be no longer so. */
  forget(node: NodeId): void
}

/** @param ask what a node says it speaks */
export function createProtocols(ask: (address: string) => Promise<ProtocolRange>): Protocols {
  const spoken = new Map<NodeId, number>()
  return {
    async with({ id, name, address }) {
      const known = spoken.get(id)
      if (known !== undefined) return known
      const range = await ask(address)
      const common = requireCommon(range, name)
      spoken.set(id, common)
      return common
    },
    told(node, range) {
      const common = commonProtocol(PROTOCOL, range)
      if (common === null) spoken.delete(node)
      else spoken.set(node, common)
    },
    forget: node => void spoken.delete(node),
  }
}

/** @throws {ApiError} `peer_unreachable` */
export function requireCommon(range: ProtocolRange, name: string): number {
  const common = commonProtocol(PROTOCOL, range)
  if (common !== null) return common
  const isOlder = range.max < PROTOCOL.min
  throw new ApiError(
    'peer_unreachable',
    `${name} speaks protocol ${range.min} to ${range.max}, this node ${PROTOCOL.min} to ${PROTOCOL.max}.`,
    { remedy: isOlder ? `Update Skein on ${name}.` : 'Update Skein on this node.' },
  )
}
