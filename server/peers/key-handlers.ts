import type { Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { OwnIdentity } from './identity.ts'
import type { Keyring } from './keyring.ts'
import type { KnownPeer, KnownPeers } from './known-peers.ts'
import { lastKey } from './rotation.ts'

/** Nodes that are told at once of a new key. */
const MOST_AT_ONCE = 16
const MOST_ROTATIONS = 100
/** The first protocol that knows of new keys. */
const KNOWS_ROTATION = 2

export interface KeyHandlerDeps {
  readonly identity: OwnIdentity
  readonly known: KnownPeers
  readonly keyring: Keyring
  readonly clock: Pick<Clock, 'now'>
  /** @throws {Error} when the node does not answer */
  readonly protocolWith: (peer: KnownPeer) => Promise<number>
  /** Tells a node of our key. @returns whether it took it */
  readonly introduce: (peer: KnownPeer) => Promise<boolean>
}

/** Change of this node's key, and of those of others. */
export function createKeyHandlers(deps: KeyHandlerDeps): Pick<Handlers, 'nodeKeys' | 'learnKeys' | 'rotateKey'> {
  const { identity, known, keyring, clock, protocolWith, introduce } = deps

  /** Peers that would not know this node any more. */
  async function older(): Promise<readonly KnownPeer[]> {
    const protocols = await Promise.all(
      known.list().map(async peer => ({ peer, protocol: await protocolWith(peer).catch(() => KNOWS_ROTATION) })),
    )
    return protocols.flatMap(({ peer, protocol }) => (protocol < KNOWS_ROTATION ? [peer] : []))
  }

  return {
    async nodeKeys() {
      return { status: 200, body: { node: identity.nodeId, rotations: [...identity.rotations] } }
    },
    async learnKeys({ body }) {
      const isKnown = () => lastKey(body.rotations)?.to === known.get(body.node)?.publicKey
      if (known.get(body.node) && (isKnown() || (await keyring.learn(body)))) return { status: 200, body: { ok: true } }
      // Anybody may ask: whom this node knows is not told.
      throw new ApiError('rotation_refused', `Nothing leads from a key that is known here to another of node ${body.node}.`, {
        remedy: 'Pair the two nodes anew.',
      })
    },
    async rotateKey({ body: { graceMs, force } }) {
      if (identity.rotations.length >= MOST_ROTATIONS)
        throw new ApiError('rotation_refused', `This node has had ${MOST_ROTATIONS} keys.`, {
          remedy:
            'Make it a new node: stop it, remove node.key and node.key.rotations from its data directory, and pair it anew.',
        })
      const strangers = force ? [] : await older()
      if (strangers.length > 0)
        throw new ApiError(
          'rotation_refused',
          `${strangers.map(({ name }) => name).join(', ')} would not know this node any more: nodes of protocol 1 take no new key.`,
          { remedy: 'Update Skein there first; or give --force, and remove and pair them anew once they are updated.' },
        )
      await identity.rotate(clock.now(), graceMs)
      const [told, waiting]: [string[], string[]] = [[], []]
      const left = [...known.list()]
      const tell = async () => {
        for (let peer = left.pop(); peer; peer = left.pop()) ((await introduce(peer)) ? told : waiting).push(peer.name)
      }
      await Promise.all(Array.from({ length: MOST_AT_ONCE }, tell))
      return { status: 200, body: { node: identity.nodeId, publicKey: identity.publicKey, told, waiting } }
    },
  }
}
