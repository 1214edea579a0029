import type { Peer } from '#shared/model/index.ts'
import type { Presence } from './gossip.ts'
import { calledHere, type KnownPeer, type ownersOfNames } from './known-peers.ts'
import type { Rights } from './rights.ts'

const BARRED = {
  key_changed: 'Its machine had another key before. If that is right: `skein peers trust`.',
  removed: 'The trust in it was ended here. To take it back: `skein peers trust`.',
} as const

/** A peer as the API shows it. @param owners whose each name is */
export function present(
  peer: KnownPeer,
  { runsOurs, weRunTheirs }: Rights,
  { card, lastSeenAt, problem }: Presence,
  owners: ReturnType<typeof ownersOfNames>,
): Peer {
  const { id, address, source, members } = peer
  const barred = members.find(member => member.barred !== null)?.barred
  return {
    id,
    name: calledHere(peer, card?.name ?? peer.name, owners),
    address,
    source,
    state: problem === null ? 'online' : 'offline',
    runsOurs,
    weRunTheirs,
    card,
    lastSeenAt: lastSeenAt === null ? null : new Date(lastSeenAt).toISOString(),
    problem: barred ? BARRED[barred] : problem,
  }
}
