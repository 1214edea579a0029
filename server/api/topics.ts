import type { Events } from '#server/events/index.ts'
import type { Logs } from '#server/logs/index.ts'
import { logFrameHeader } from '#shared/contract/index.ts'
import type { JobEvent, JobId } from '#shared/model/index.ts'
import type { Connection } from './connection.ts'

/** Bytes of a log read and sent at once. */
const PIECE_BYTES = 256 * 1024

export interface TopicSources {
  readonly events: Events
  readonly logs: Logs
  /** Whether a log is final: nothing more will be written to it. */
  isSealed(id: JobId): Promise<boolean>
}

interface Subscription {
  readonly id: number
  readonly connection: Connection
  readonly signal: AbortSignal
}

/** Sends events as they come, each when the reader has room for it. */
export async function pumpEvents(
  events: AsyncIterable<JobEvent>,
  cursorOf: (event: JobEvent) => number,
  { id, connection, signal }: Subscription,
): Promise<void> {
  let last: number | null = null
  for await (const event of events) {
    // A reader this far behind is told; what comes next is read from the store, so nothing is lost.
    if ((await connection.room()) && !signal.aborted)
      connection.send({ type: 'lagged', cursor: last, payload: { subscription: id } })
    if (signal.aborted) return
    last = cursorOf(event)
    connection.send({ type: 'event', cursor: last, payload: { subscription: id, event } })
  }
  if (!signal.aborted) connection.send({ type: 'end', cursor: last, payload: { subscription: id } })
}

/** Sends a log from an offset: what is there straight from the file, then what comes as soon as the file has it. */
export async function pumpLog(
  jobId: JobId,
  from: number,
  { id, connection, signal }: Subscription,
  { logs, isSealed }: TopicSources,
): Promise<void> {
  let offset = from
  let sealed = false
  let isLive = false
  let wake = () => {}
  let changed = true
  const poke = () => {
    changed = true
    wake()
  }
  const unfollow = logs.follow(jobId, (_, final) => {
    sealed ||= final
    poke()
  })
  signal.addEventListener('abort', poke)
  try {
    sealed ||= await isSealed(jobId)
    while (!signal.aborted) {
      changed = false
      const finalBefore = sealed
      offset = await sendTo(await logs.size(jobId))
      if (finalBefore && !signal.aborted) {
        connection.send({ type: 'end', cursor: offset, payload: { subscription: id } })
        return
      }
      isLive = true
      if (changed) continue
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  } finally {
    unfollow()
    signal.removeEventListener('abort', poke)
  }

  async function sendTo(end: number): Promise<number> {
    let position = offset
    while (position < end && !signal.aborted) {
      const waited = await connection.room()
      if (signal.aborted) break
      if (waited && isLive) connection.send({ type: 'lagged', cursor: position, payload: { subscription: id } })
      const bytes = await logs.read(jobId, position, Math.min(PIECE_BYTES, end - position))
      if (bytes.byteLength === 0) break
      connection.sendBytes(Buffer.concat([logFrameHeader(id, position), bytes]))
      position += bytes.byteLength
    }
    return position
  }
}
