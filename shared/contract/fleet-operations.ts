import * as z from 'zod'
import { DrainStatus, JobId, NodeId, Peer, PlacementRecord } from '../model/index.ts'
import { operation } from './operation.ts'

const nodeParams = z.strictObject({ id: NodeId })
const done = { kind: 'json', schema: z.strictObject({ ok: z.literal(true) }) } as const

/** The fleet, as the owner of a node sees and changes it. */
export const fleetOperations = {
  listPeers: () =>
    operation({
      summary: 'Other nodes that this one knows',
      method: 'GET',
      path: '/v1/peers',
      access: 'local',
      answer: { kind: 'json', schema: z.strictObject({ items: z.array(Peer) }) },
      status: [200],
      errors: [],
    }),
  addPeer: () =>
    operation({
      summary: 'Pair with a node, by the code it showed its owner',
      method: 'POST',
      path: '/v1/peers',
      access: 'local',
      body: z.strictObject({
        address: z.url({ protocol: /^https?$/ }),
        code: z.string().min(1).max(64),
        weRunTheirs: z.boolean().default(false).describe('Also take jobs of that node.'),
      }),
      answer: { kind: 'json', schema: Peer },
      status: [201],
      errors: ['pairing_refused', 'peer_unreachable'],
    }),
  removePeer: () =>
    operation({
      summary: 'End the trust in a node at once',
      method: 'DELETE',
      path: '/v1/peers/:id',
      access: 'local',
      params: nodeParams,
      answer: done,
      status: [200],
      errors: ['peer_unknown'],
    }),
  trustPeer: () =>
    operation({
      summary: 'Let what the mesh says of a node count again, after its key changed or the trust in it was ended',
      method: 'POST',
      path: '/v1/peers/:id/trust',
      access: 'local',
      params: nodeParams,
      answer: { kind: 'json', schema: Peer },
      status: [200],
      errors: ['peer_unknown'],
    }),
  rotateKey: () =>
    operation({
      summary: 'Take a new key in place of this node’s own; its id, and what others trust it with, stay',
      method: 'POST',
      path: '/v1/node/rotate-key',
      access: 'local',
      body: z.strictObject({
        graceMs: z
          .int()
          .min(0)
          .max(24 * 3_600_000)
          .default(10 * 60_000)
          .describe('How long others still take the old key.'),
        force: z.boolean().default(false).describe('Also when some peers know no rotation, and have to be paired anew.'),
      }),
      answer: {
        kind: 'json',
        schema: z.strictObject({
          node: NodeId,
          publicKey: z.string(),
          told: z.array(z.string()).describe('Peers that have the new key.'),
          waiting: z.array(z.string()).describe('Peers that get it when they are next heard of.'),
        }),
      },
      status: [200],
      errors: ['rotation_refused'],
    }),
  createPairingCode: () =>
    operation({
      summary: 'A code that lets one other node pair with this one, once and soon',
      method: 'POST',
      path: '/v1/pairing-codes',
      access: 'local',
      answer: { kind: 'json', schema: z.strictObject({ code: z.string(), expiresAt: z.iso.datetime() }) },
      status: [201],
      errors: [],
    }),
  listPlacements: () =>
    operation({
      summary: 'How the attempts of a job came to their nodes: every bid, its score, and the award',
      method: 'GET',
      path: '/v1/jobs/:id/placement',
      access: 'local',
      params: z.strictObject({ id: JobId }),
      answer: { kind: 'json', schema: z.strictObject({ items: z.array(PlacementRecord) }) },
      status: [200],
      errors: ['not_found'],
    }),
  drain: () =>
    operation({
      summary: 'Take no more attempts, or take them again; what runs goes on, or is given back',
      method: 'POST',
      path: '/v1/drain',
      access: 'local',
      body: z.strictObject({
        draining: z.boolean(),
        handBackAfterMs: z
          .int()
          .min(0)
          .max(7 * 24 * 3_600_000)
          .nullable()
          .default(null)
          .describe('Until attempts of other nodes are given back to them; null: they may finish.'),
      }),
      answer: { kind: 'json', schema: DrainStatus },
      status: [200],
      errors: [],
    }),
  drainStatus: () =>
    operation({
      summary: 'Whether the node takes attempts, and what still runs',
      method: 'GET',
      path: '/v1/drain',
      access: 'local',
      answer: { kind: 'json', schema: DrainStatus },
      status: [200],
      errors: [],
    }),
} as const
