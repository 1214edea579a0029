import * as z from 'zod'
import {
  Announcement,
  AttemptPlace,
  AttemptReport,
  Award,
  Bid,
  Card,
  GossipAnswer,
  GossipMessage,
  JobId,
  MOST_PLACES,
  ModelCallNews,
  NodeId,
  ProtocolRange,
  since,
} from '../model/index.ts'
import { operation } from './operation.ts'

const attemptParams = z.strictObject({ id: JobId, epoch: z.coerce.number().int().min(1) })
const offset = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const done = { kind: 'json', schema: z.strictObject({ ok: z.literal(true) }) } as const

/** What anybody who can reach a node may know of it. */
export const NodeInfo = z
  .strictObject({
    node: NodeId,
    name: z.string(),
    publicKey: z.string(),
    version: z.string(),
    protocol: ProtocolRange,
    proof: z.string().max(4096).optional(),
  })
  .meta({ id: 'NodeInfo' })
export type NodeInfo = z.infer<typeof NodeInfo>

/** How a node came to its key: each statement names the next one, signed by the one before (compact JWS). */
const rotations = z.array(z.string().max(1024)).max(100)
export const NodeKeys = z.strictObject({ node: NodeId, rotations }).meta({ id: 'NodeKeys' })
export type NodeKeys = z.infer<typeof NodeKeys>

/** What nodes say to each other. The home asks; the worker answers. */
export const peerOperations = {
  nodeInfo: () =>
    operation({
      summary: 'Which node this is',
      method: 'GET',
      path: '/v1/peer/node',
      access: 'open',
      query: z.strictObject({
        nonce: z
          .string()
          .min(16)
          .max(64)
          .optional()
          .describe('To be signed, with the addresses the node has on its mesh, by the key it shows.'),
      }),
      answer: { kind: 'json', schema: NodeInfo },
      status: [200],
      errors: [],
    }),
  nodeKeys: () =>
    operation({
      summary: 'How this node came to the key it has',
      method: 'GET',
      path: '/v1/peer/keys',
      access: 'open',
      since: 2,
      answer: { kind: 'json', schema: NodeKeys },
      status: [200],
      errors: [],
    }),
  learnKeys: () =>
    operation({
      summary: 'Tell a node that another, which it knows, has a new key; the statements prove it',
      method: 'POST',
      path: '/v1/peer/keys',
      access: 'open',
      since: 2,
      body: NodeKeys,
      answer: done,
      status: [200],
      errors: ['rotation_refused'],
    }),
  gossip: () =>
    operation({
      summary: 'Even out what two nodes have heard of others: signed cards, the newest of each',
      method: 'POST',
      path: '/v1/peer/gossip',
      access: 'peer',
      since: 2,
      body: GossipMessage,
      answer: { kind: 'json', schema: GossipAnswer },
      status: [200],
      errors: ['too_many_requests', 'body_too_large'],
    }),
  pair: () =>
    operation({
      summary: 'Exchange keys; each side proves that it knows the code without saying it',
      method: 'POST',
      path: '/v1/peer/pair',
      access: 'open',
      body: z.strictObject({
        node: NodeInfo,
        port: z.int().min(1).max(65_535).describe('Where the caller itself is asked, at the address it calls from.'),
        nonce: z.string().min(16).max(64),
        proof: z.string().max(128),
        rotations: since(2, rotations.default([]).describe('How the caller came to its key.')),
      }),
      answer: { kind: 'json', schema: z.strictObject({ node: NodeInfo, proof: z.string() }) },
      status: [200],
      errors: ['pairing_refused', 'too_many_requests'],
    }),
  card: () =>
    operation({
      summary: 'What this node can give now',
      method: 'GET',
      path: '/v1/peer/card',
      access: 'peer',
      answer: { kind: 'json', schema: Card },
      status: [200],
      errors: [],
    }),
  tellAddress: () =>
    operation({
      summary: 'Say where the caller is now: it moved, or was started anew',
      method: 'POST',
      path: '/v1/peer/address',
      access: 'peer',
      since: 2,
      body: z.strictObject({
        port: z.int().min(1).max(65_535).describe('Where the caller itself is asked.'),
        addresses: z.array(z.string().max(64)).max(64).describe('Of its machine; it is believed from one of these only.'),
      }),
      answer: done,
      status: [200],
      errors: [],
    }),
  announce: () =>
    operation({
      summary: 'Ask for a bid; a bid reserves capacity for a short time',
      method: 'POST',
      path: '/v1/peer/announce',
      access: 'peer',
      body: Announcement,
      answer: { kind: 'json', schema: Bid },
      status: [200],
      errors: [],
    }),
  releaseBid: () =>
    operation({
      summary: 'Let go of what a bid reserved',
      method: 'POST',
      path: '/v1/peer/release',
      access: 'peer',
      body: z.strictObject({ bidId: z.string().max(64) }),
      answer: done,
      status: [200],
      errors: [],
    }),
  award: () =>
    operation({
      summary: 'Give the work to a bidder, under a lease; it starts when the snapshot is there',
      method: 'POST',
      path: '/v1/peer/award',
      access: 'peer',
      body: Award,
      answer: { kind: 'json', schema: z.strictObject({ needsSnapshot: z.boolean(), mark: z.number() }) },
      status: [200],
      errors: ['not_yours', 'not_ready'],
    }),
  shipSnapshot: () =>
    operation({
      summary: 'A git bundle with the snapshot; what was sent before an offset is kept',
      method: 'PUT',
      path: '/v1/peer/attempts/:id/:epoch/snapshot',
      access: 'peer',
      params: attemptParams,
      query: z.strictObject({ offset, total: offset, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      upload: true,
      answer: { kind: 'json', schema: z.strictObject({ bytes: z.int().min(0) }) },
      status: [200],
      errors: ['not_yours', 'body_too_large', 'snapshot_failed'],
    }),
  renew: () =>
    operation({
      summary: 'Renew the lease of an attempt, and hear what happened since an event',
      method: 'POST',
      path: '/v1/peer/attempts/:id/:epoch/renew',
      access: 'peer',
      params: attemptParams,
      body: z.strictObject({
        leaseMs: z.int().min(1),
        mark: z
          .number()
          .nullable()
          .describe('The mark of the last report: the lease is counted from there, on the clock of the worker.'),
        after: z.int().min(0).describe('Number of the last event that is safe at home.'),
        logSafe: since(
          2,
          z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe("Bytes of the attempt's log that are safe at home."),
        ),
        waitMs: z.int().min(0).max(30_000).describe('How long to wait for news.'),
        cancel: z.boolean(),
      }),
      answer: { kind: 'json', schema: AttemptReport },
      status: [200],
      errors: ['not_yours'],
    }),
  attemptLog: () =>
    operation({
      summary: 'Log of an attempt from an offset, until it ends',
      method: 'GET',
      path: '/v1/peer/attempts/:id/:epoch/log',
      access: 'peer',
      params: attemptParams,
      query: z.strictObject({ offset: offset.default(0) }),
      answer: { kind: 'bytes', mediaType: 'application/octet-stream' },
      status: [200],
      errors: ['not_yours', 'offset_out_of_range'],
    }),
  attemptPlaces: () =>
    operation({
      summary: 'The sandboxes of an attempt that exist now, and what they take',
      method: 'GET',
      path: '/v1/peer/attempts/:id/:epoch/workloads',
      access: 'peer',
      since: 7,
      params: attemptParams,
      answer: { kind: 'json', schema: z.strictObject({ items: z.array(AttemptPlace).max(MOST_PLACES) }) },
      status: [200],
      errors: ['not_yours'],
    }),
  attemptResult: () =>
    operation({
      summary: 'A git bundle with the result commit, from an offset',
      method: 'GET',
      path: '/v1/peer/attempts/:id/:epoch/result',
      access: 'peer',
      params: attemptParams,
      query: z.strictObject({ offset: offset.default(0) }),
      answer: { kind: 'bytes', mediaType: 'application/octet-stream' },
      status: [200],
      errors: ['not_yours', 'no_result'],
    }),
  modelCalls: () =>
    operation({
      summary: 'Model calls of an attempt that wait for its home, those after a number',
      method: 'POST',
      path: '/v1/peer/attempts/:id/:epoch/model-calls',
      access: 'peer',
      since: 2,
      params: attemptParams,
      body: z.strictObject({
        after: z.int().min(0).describe('Number of the last call the home has heard of.'),
        open: z.array(z.int().min(1)).max(256).describe('Calls the home is answering.'),
        waitMs: z.int().min(0).max(30_000).describe('How long to wait for news.'),
      }),
      answer: { kind: 'json', schema: ModelCallNews },
      status: [200],
      errors: ['not_yours'],
    }),
  answerModelCall: () =>
    operation({
      summary: 'A part of the answer to a model call; what was sent before an offset is kept',
      method: 'PUT',
      path: '/v1/peer/attempts/:id/:epoch/model-calls/:call',
      access: 'peer',
      since: 2,
      params: attemptParams.extend({ call: z.coerce.number().int().min(1) }),
      query: z.strictObject({
        offset,
        status: z.coerce.number().int().min(200).max(599),
        type: z.string().max(200).describe('Content type of the whole.'),
        retryAfter: z.string().max(40).optional(),
        end: z.enum(['more', 'whole', 'broken']).describe('`broken`: no more will come, and it is not all.'),
      }),
      upload: true,
      answer: {
        kind: 'json',
        schema: z.strictObject({ bytes: z.int().min(0), isOpen: z.boolean().describe('Whether anybody still waits for it.') }),
      },
      status: [200],
      errors: ['not_yours', 'body_too_large'],
    }),
  settleAttempt: () =>
    operation({
      summary: 'The home has all it needs, or wants none of it: the attempt may be forgotten',
      method: 'POST',
      path: '/v1/peer/attempts/:id/:epoch/settle',
      access: 'peer',
      params: attemptParams,
      answer: done,
      status: [200],
      errors: ['not_yours'],
    }),
  answerForAttempt: () =>
    operation({
      summary: 'Answer a permission request of an attempt',
      method: 'POST',
      path: '/v1/peer/attempts/:id/:epoch/permissions/:requestId',
      access: 'peer',
      params: attemptParams.extend({ requestId: z.string().min(1).max(100) }),
      body: z.strictObject({ optionId: z.string().max(200) }),
      answer: done,
      status: [200],
      errors: ['not_yours', 'not_found', 'already_answered'],
    }),
} as const
