/** Other nodes: identity, trust, presence, and the links jobs go over. */
export { sha256 } from './assertion.ts'
export { type Checkup, checkPeers } from './checkup.ts'
export { loadIdentity, readNodeId } from './identity.ts'
export { openKnownPeers } from './known-peers.ts'
export { httpLink } from './link.ts'
export type { PeerDirectory } from './peer-directory.ts'
export { createPeers, type Peers } from './peers.ts'
export type { AttemptName, Fleet, PeerLink, Renewal } from './port.ts'
