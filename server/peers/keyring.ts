import type { Clock } from '#server/lib/clock.ts'
import { ApiError, type NodeInfo, type NodeKeys } from '#shared/contract/index.ts'
import type { NodeId } from '#shared/model/index.ts'
import { isPublicKey, nodeIdOf } from './identity.ts'
import type { KnownPeer, KnownPeers } from './known-peers.ts'
import { followRotations } from './rotation.ts'

/** Which keys are a node's: the one its id is made of, and those it has taken in its place since. */
export interface Keyring {
  /**
   * Takes a new key of a known node, when its statements lead from the key that is known to it.
   * @returns whether they did. @throws {ApiError} `rotation_refused` when they are not signed as they should be
   */
  learn(keys: NodeKeys): Promise<boolean>
  /**
   * Whether a node that shows itself has the key it shows. @param ask fetches how it came to that key
   * @throws {ApiError} `pairing_refused`
   */
  requireOwn(info: Pick<NodeInfo, 'node' | 'publicKey'>, ask: () => Promise<NodeKeys>): Promise<void>
  /** The key to hold a request against that says which it is signed with. */
  keyFor(peer: KnownPeer, shown: string | null): string
}

export function createKeyring({ known, clock }: { known: KnownPeers; clock: Pick<Clock, 'now'> }): Keyring {
  const follow = (node: NodeId, rotations: readonly string[], from: string | null) =>
    followRotations(node, rotations, from, {
      isFirst: key => isPublicKey(key) && nodeIdOf(key) === node,
      now: clock.now(),
    }).catch(cause => {
      const why = cause instanceof Error ? cause.message.split('\n')[0] : cause
      throw new ApiError('rotation_refused', `Node ${node} does not prove its new key: ${why}`, {
        remedy: 'Pair the two nodes anew.',
        cause,
      })
    })

  async function learn({ node, rotations }: NodeKeys): Promise<boolean> {
    const peer = known.get(node)
    const now = peer && (await follow(node, rotations, peer.publicKey))
    // Meanwhile its owner may have ended the trust in it, or it moved.
    const still = known.get(node)
    if (!now || !isPublicKey(now.publicKey) || still?.publicKey !== peer.publicKey) return false
    const until = new Date(now.previous.until).toISOString()
    await known.put({ ...still, publicKey: now.publicKey, oldKey: { publicKey: now.previous.publicKey, until } })
    return true
  }

  return {
    learn,
    async requireOwn({ node, publicKey }, ask) {
      const refused = new ApiError('pairing_refused', `Node ${node} shows a key that is not its own.`)
      if (!isPublicKey(publicKey)) throw refused
      const peer = known.get(node)
      if (peer ? peer.publicKey === publicKey : nodeIdOf(publicKey) === node) return
      const keys = await ask()
      if (keys.node !== node) throw refused
      const shown = await follow(node, keys.rotations, peer?.publicKey ?? null)
      if (shown?.publicKey !== publicKey) throw refused
      if (peer) await learn(keys)
    },
    keyFor({ publicKey, oldKey }, shown) {
      const isOld = oldKey !== undefined && shown === oldKey.publicKey && clock.now() < Date.parse(oldKey.until)
      return isOld ? oldKey.publicKey : publicKey
    },
  }
}
