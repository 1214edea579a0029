import * as z from 'zod'
import { JobEvent, ModelQuestionNotice, NodeId, Peer, SpecOffer } from '../model/index.ts'
import { Problem } from './errors.ts'
import { cursorNumber, subscriptionNumber } from './stream.ts'

const subscription = subscriptionNumber
const envelope = { ts: z.iso.datetime(), cursor: cursorNumber.nullable() }
/** Text frames of the server. Log bytes come as binary frames (`writeLogHeader`), because JSON would triple their cost. */
export const ServerMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('hello'), ...envelope, payload: z.strictObject({ node: z.string(), heartbeatMs: z.int() }) }),
  z.strictObject({ type: z.literal('subscribed'), ...envelope, payload: z.strictObject({ subscription }) }),
  z.strictObject({ type: z.literal('event'), ...envelope, payload: z.strictObject({ subscription, event: JobEvent }) }),
  z
    .strictObject({ type: z.literal('end'), ...envelope, payload: z.strictObject({ subscription }) })
    .describe('The job is over; nothing more comes.'),
  z
    .strictObject({
      type: z.literal('peers'),
      ...envelope,
      payload: z.strictObject({
        subscription,
        whole: z.boolean().describe('Forget what was told before: the list begins anew here.'),
        items: z.array(Peer).describe('Peers as they are now; each replaces what was told of it before.'),
        removed: z.array(NodeId).describe('Peers that are not known any more.'),
      }),
    })
    .describe('To take one twice changes nothing.'),
  z
    .strictObject({ type: z.literal('offer'), ...envelope, payload: z.strictObject({ subscription, offer: SpecOffer }) })
    .describe('To be shown, and answered by `POST /v1/spec-offers/:id`.'),
  z
    .strictObject({
      type: z.literal('modelQuestion'),
      ...envelope,
      payload: z.strictObject({ subscription, question: ModelQuestionNotice }),
    })
    .describe('To be fetched by `GET /v1/model-questions/:id` and answered there.'),
  z.strictObject({ type: z.literal('lagged'), ...envelope, payload: z.strictObject({ subscription }) }),
  z.strictObject({ type: z.literal('heartbeat'), ...envelope, payload: z.strictObject({}) }),
  z.strictObject({
    type: z.literal('error'),
    ...envelope,
    payload: z.strictObject({ subscription: subscriptionNumber.nullable(), problem: Problem }),
  }),
])
export type ServerMessage = z.infer<typeof ServerMessage>

/** Peers that changed, and how far that is: what a `peers` message tells. */
export interface PeersChange {
  readonly cursor: number
  readonly whole: boolean
  readonly items: readonly Peer[]
  readonly removed: readonly NodeId[]
}
