import { randomUUID } from 'node:crypto'
import { systemClock } from '#server/lib/clock.ts'
import { peerClient } from '#server/peers/link.ts'
import { proofOf } from '#server/peers/pairing.ts'
import type { Client } from '#shared/contract/index.ts'
import { type Announcement, type Award, JobSpec, type NodeId, PROTOCOL } from '#shared/model/index.ts'
import { makeIdentity } from '#test/fakes/identity.ts'
import type { TestNode } from './node.ts'

/** A key that a node takes jobs of, with nothing behind it: it asks what no node of ours would. */
export interface BarePeer {
  readonly id: NodeId
  /** The operations of the node, as this peer may call them. */
  readonly client: Client
}

/** @param port where it says it can be asked; nobody is there */
export async function pairedPeer(node: TestNode, name: string, port = 9): Promise<BarePeer> {
  const identity = makeIdentity()
  const { code } = await node.client.createPairingCode()
  const addressee = { id: identity.nodeId, name, address: node.url }
  const link = { identity, clock: systemClock, protocolWith: async () => PROTOCOL.max }
  const callee = await peerClient(addressee, link).nodeInfo()
  const caller = { node: identity.nodeId, name, publicKey: identity.publicKey, version: '0', protocol: PROTOCOL }
  const nonce = randomUUID()
  const proof = proofOf(code, 'caller', { caller, callee, nonce })
  const client = peerClient({ ...addressee, id: callee.node }, link)
  await client.pair({ body: { node: caller, port, nonce, proof } })
  return { id: identity.nodeId, client }
}

/** What is asked for a job that needs nothing. */
export const announcementOf = (jobId: string, epoch = 1): Announcement => ({
  ...{ jobId, epoch, agent: 'command', executor: 'process', model: null, labels: {}, gpu: false, setup: false, repository: null },
  models: { policy: 'worker-only', atHome: false },
})

export const awardOf = (jobId: string, bidId: string, argv: string[], more: Partial<JobSpec> = {}): Award => ({
  ...{ bidId, jobId, epoch: 1, leaseMs: 30_000, logOffset: 0, title: 'a job', snapshot: null, startWithinMs: null },
  spec: JobSpec.parse({ agent: 'command', executor: 'process', argv, ...more }),
  models: { policy: 'worker-only', atHome: [] },
})
