import * as z from 'zod'
import { JobId, MOST_OFFERED_MODELS, OfferedModel, WorkTreePath } from '../model/index.ts'

/** Path of the WebSocket. */
export const STREAM_PATH = '/v1/stream'
export const HEARTBEAT_MS = 10_000
/** A server that says nothing for so long is gone, whatever the socket says, ms. */
export const SILENCE_MS = 3 * HEARTBEAT_MS
/** A reader this far behind is cut back to its cursor and told (`lagged`). */
export const MAX_BEHIND_BYTES = 1024 * 1024

/**
 * Topics and what their cursor counts: `jobs` (every event of the node; cursor = `seq`), `job` (events of one job;
 * cursor = `n`), `log` (bytes of one job's log; cursor = byte offset), `peers` (the nodes this one knows; cursor = a number that rises
 * with each change), `specs` (changes of a repository's specs that wait for somebody at an editor; cursor = id of the offer),
 * `models` (whoever follows it offers the named models for as long; brings what is asked of them, and has no cursor). A cursor names the
 * last thing already seen, so that subscribing again with it neither repeats nor skips.
 */
export const Topic = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('jobs') }),
  z.strictObject({ name: z.literal('job'), jobId: JobId }),
  z.strictObject({ name: z.literal('log'), jobId: JobId }),
  z.strictObject({ name: z.literal('peers') }),
  z.strictObject({ name: z.literal('specs'), repository: WorkTreePath }),
  z.strictObject({ name: z.literal('models'), models: z.array(OfferedModel).min(1).max(MOST_OFFERED_MODELS) }),
])
export type Topic = z.infer<typeof Topic>

export const subscriptionNumber = z.int().min(1).max(0xffff_ffff)
export const cursorNumber = z.int().min(0).max(Number.MAX_SAFE_INTEGER)

export const ClientMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auth'), token: z.string().max(4096) }),
  z.strictObject({
    type: z.literal('subscribe'),
    subscription: subscriptionNumber,
    topic: Topic,
    cursor: cursorNumber
      .optional()
      .describe(
        'Default: from the beginning; for topic `jobs`, from now on; for topic `peers`, the whole list; for topic `specs`, all that is open.',
      ),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), subscription: subscriptionNumber }),
  z.strictObject({ type: z.literal('ping') }),
])
export type ClientMessage = z.infer<typeof ClientMessage>
