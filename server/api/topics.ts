import type { Events } from '#server/events/index.ts'
import type { Logs } from '#server/logs/index.ts'
import { LOG_HEADER_BYTES, type PeersChange, writeLogHeader } from '#shared/contract/index.ts'
import type { JobEvent, JobId, ModelQuestionNotice, SpecOffer } from '#shared/model/index.ts'
import type { Connection } from './connection.ts'

/** Bytes of a log read and sent at once. */
const PIECE_BYTES = 256 * 1024

export interface TopicSources {
  readonly events: Events
  readonly logs: Logs
  /** Whether a log is final: nothing more will be written to it. */
  isSealed(id: JobId): Promise<boolean>
  /** Peers that changed after a cursor; null: all of them first. */
  readonly peers: { follow(after: number | null, signal: AbortSignal): AsyncIterable<PeersChange> }
  /** Changes of a repository's specs that wait for somebody at an editor. */
  readonly offers: { follow(repository: string, after: number, signal: AbortSignal): AsyncIterable<SpecOffer> }
  /** Offers models for as long as it is iterated; what is asked of them. */
  readonly modelOffers: { follow(models: readonly string[], signal: AbortSignal): AsyncIterable<ModelQuestionNotice> }
}

export interface Subscription {
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
    await connection.inTurn(waited => {
      if (signal.aborted) return
      // A reader this far behind is told; what comes next is read from the store, so nothing is lost.
      if (waited) connection.send({ type: 'lagged', cursor: last, payload: { subscription: id } })
      last = cursorOf(event)
      connection.send({ type: 'event', cursor: last, payload: { subscription: id, event } })
    })
    if (signal.aborted) return
  }
  if (!signal.aborted) connection.send({ type: 'end', cursor: last, payload: { subscription: id } })
}

/** Sends peers as they change, each time when the reader has room; who is slow gets fewer states in between. */
export async function pumpPeers(changes: AsyncIterable<PeersChange>, { id, connection, signal }: Subscription): Promise<void> {
  for await (const { cursor, whole, items, removed } of changes) {
    await connection.inTurn(() => {
      if (signal.aborted) return
      const payload = { subscription: id, whole, items: [...items], removed: [...removed] }
      connection.send({ type: 'peers', cursor, payload })
    })
    if (signal.aborted) return
  }
}

/** Sends changes of specs that wait for an answer. */
export async function pumpOffers(offers: AsyncIterable<SpecOffer>, { id, connection, signal }: Subscription): Promise<void> {
  for await (const offer of offers) {
    await connection.inTurn(() => {
      if (!signal.aborted) connection.send({ type: 'offer', cursor: offer.id, payload: { subscription: id, offer } })
    })
    if (signal.aborted) return
  }
}

/** Sends what is asked of models that this client offers. */
export async function pumpModelQuestions(
  questions: AsyncIterable<ModelQuestionNotice>,
  { id, connection, signal }: Subscription,
): Promise<void> {
  for await (const question of questions) {
    await connection.inTurn(() => {
      if (!signal.aborted) connection.send({ type: 'modelQuestion', cursor: null, payload: { subscription: id, question } })
    })
    if (signal.aborted) return
  }
}

/** Sends a log from an offset: what is there straight from the file, then what comes as soon as the file has it. */
export async function pumpLog(
  jobId: JobId,
  from: number,
  { id, connection, signal }: Subscription,
  { logs, isSealed }: TopicSources,
): Promise<void> {
  let offset = from
  let end = 0
  let sealed = false
  let isLive = false
  let wake = () => {}
  const unfollow = logs.follow(jobId, (size, final) => {
    end = Math.max(end, size)
    sealed ||= final
    wake()
  })
  const reader = logs.reader(jobId)
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    // Followed first and asked second, so that nothing falls between. A sealed log is as long as its file.
    const wasSealed = await isSealed(jobId)
    end = Math.max(end, await logs.size(jobId))
    sealed ||= wasSealed
    while (!signal.aborted) {
      const isFinal = sealed
      const known = end
      while (offset < known && !signal.aborted) offset += await sendPiece(known)
      isLive = true
      if (signal.aborted || end > offset || sealed !== isFinal) continue
      if (isFinal) return connection.send({ type: 'end', cursor: offset, payload: { subscription: id } })
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  } finally {
    unfollow()
    await reader.close()
    signal.removeEventListener('abort', onAbort)
  }

  /** @returns the bytes sent; when the file is shorter than it was, what is missing counts as sent. */
  async function sendPiece(until: number): Promise<number> {
    let sent = 0
    await connection.inTurn(async waited => {
      if (signal.aborted) return
      if (waited && isLive) connection.send({ type: 'lagged', cursor: offset, payload: { subscription: id } })
      const frame = await reader.read(offset, Math.min(PIECE_BYTES, until - offset), LOG_HEADER_BYTES)
      if (signal.aborted) return
      const bytes = frame.byteLength - LOG_HEADER_BYTES
      writeLogHeader(frame, id, offset)
      if (bytes > 0) connection.sendBytes(frame)
      sent = bytes > 0 ? bytes : until - offset
    })
    return sent
  }
}
