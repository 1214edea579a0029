import * as z from 'zod'
import { JobEvent, JobId, NodeId, Peer } from '../model/index.ts'
import { Problem } from './errors.ts'

/** Path of the WebSocket. */
export const STREAM_PATH = '/v1/stream'
export const HEARTBEAT_MS = 10_000
/** A reader this far behind is cut back to its cursor and told (`lagged`). */
export const MAX_BEHIND_BYTES = 1024 * 1024

/**
 * Topics and what their cursor counts: `jobs` (every event of the node; cursor = `seq`), `job` (events of one job;
 * cursor = `n`), `log` (bytes of one job's log; cursor = byte offset), `peers` (the nodes this one knows; cursor = a number that rises
 * with each change). A cursor names the last thing already seen, so that subscribing again with it neither repeats nor skips.
 */
export const Topic = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('jobs') }),
  z.strictObject({ name: z.literal('job'), jobId: JobId }),
  z.strictObject({ name: z.literal('log'), jobId: JobId }),
  z.strictObject({ name: z.literal('peers') }),
])
export type Topic = z.infer<typeof Topic>

const subscription = z.int().min(1).max(0xffff_ffff)
const cursor = z.int().min(0).max(Number.MAX_SAFE_INTEGER)

export const ClientMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auth'), token: z.string().max(4096) }),
  z.strictObject({
    type: z.literal('subscribe'),
    subscription,
    topic: Topic,
    cursor: cursor
      .optional()
      .describe('Default: from the beginning; for topic `jobs`, from now on; for topic `peers`, the whole list.'),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), subscription }),
  z.strictObject({ type: z.literal('ping') }),
])
export type ClientMessage = z.infer<typeof ClientMessage>

const envelope = { ts: z.iso.datetime(), cursor: cursor.nullable() }
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
  z.strictObject({ type: z.literal('lagged'), ...envelope, payload: z.strictObject({ subscription }) }),
  z.strictObject({ type: z.literal('heartbeat'), ...envelope, payload: z.strictObject({}) }),
  z.strictObject({
    type: z.literal('error'),
    ...envelope,
    payload: z.strictObject({ subscription: subscription.nullable(), problem: Problem }),
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

/** Length of the header of a log frame. */
export const LOG_HEADER_BYTES = 16
const LOG_FRAME = 1

/**
 * Writes the header of a log frame over its first 16 bytes: kind (u8), three zero bytes, subscription (u32), offset of the first
 * byte (u64); big endian.
 */
export function writeLogHeader(frame: Uint8Array, subscriptionId: number, offset: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, LOG_HEADER_BYTES)
  view.setUint32(0, LOG_FRAME << 24)
  view.setUint32(4, subscriptionId)
  view.setBigUint64(8, BigInt(offset))
}

/** @throws {Error} when the frame is too short or of another kind. */
export function decodeLogFrame(frame: Uint8Array): { subscription: number; offset: number; bytes: Uint8Array } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.byteLength < LOG_HEADER_BYTES || view.getUint8(0) !== LOG_FRAME) throw new Error('not a log frame')
  return { subscription: view.getUint32(4), offset: Number(view.getBigUint64(8)), bytes: frame.subarray(LOG_HEADER_BYTES) }
}
