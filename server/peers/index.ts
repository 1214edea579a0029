/** Other nodes: identity, trust, presence, and the links jobs go over. */
export { isAssertion, sha256, type Verifier } from './assertion.ts'
export { openPeerDirectory } from './directory.ts'
export { type Identity, loadIdentity } from './identity.ts'
export { createPeers, type Peers } from './peers.ts'
export type { AttemptName, Fleet, PeerLink, Shipment } from './port.ts'
