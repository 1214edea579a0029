import type { Secrets } from '#server/access/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { LogWriter } from '#server/logs/index.ts'
import type { Store } from '#server/store/index.ts'
import type { Log } from '#server/telemetry/index.ts'
import type { EventBody, JobId } from '#shared/model/index.ts'
import type { Outflow } from './outflow.ts'
import type { Progress } from './progress.ts'

/** Longest text an event carries, characters; agents have no bound of their own. */
const MAX_TEXT = 256 * 1024
/** Agents may report faster than a disk takes it; past this many events waiting, or characters in them, reports are dropped and counted. */
const MAX_WAITING = 10_000
const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024
/** What an agent tells of itself in one attempt, characters; the log has a limit of its own. Past it, reports are dropped and counted. */
const MAX_TOLD = 64 * 1024 * 1024

/** What an attempt leaves behind while it runs: events and log, with secrets struck out. */
export interface Record_ {
  readonly jobId: JobId
  readonly epoch: number
  readonly writer: LogWriter
  /** Monotonic time of the last sign of life, ms. */
  heard(): number
  touch(): void
  /** Stores an event soon: with the next write of this node, in the order they were asked for. */
  emit(event: EventBody): void
  warn(code: string, detail: string): void
  readonly warnings: readonly { code: string; detail: string }[]
  log(bytes: Uint8Array | string): Promise<void>
  /** Fulfils when more may be said. */
  room(): Promise<void>
  /** A line of ours in the job's log. */
  note(line: string): Promise<void>
  /** The attempt has nothing more to say: tells of what had to be dropped. */
  finish(): void
}

/** Strikes secrets out of any JSON value. Most values have none, so they are looked for before anything is rebuilt. */
export function redactJson<T>(value: T, secrets: Secrets, json = JSON.stringify(value)): T {
  if (secrets.find(json) === null) return value
  return JSON.parse(json, (_key, part: unknown) => (typeof part === 'string' ? secrets.redact(part) : part)) as T
}

const shorten = (event: EventBody): EventBody =>
  'text' in event && event.text.length > MAX_TEXT ? { ...event, text: `${event.text.slice(0, MAX_TEXT)}… [cut]` } : event

export function createRecord(input: {
  jobId: JobId
  epoch: number
  writer: LogWriter
  store: Pick<Store, 'append'>
  secrets: Secrets
  clock: Clock
  log: Log
  /** What must be written of the job before the events that follow. */
  progress: Pick<Progress, 'flush'>
  /** Of an attempt for another node. */
  outflow?: Outflow | undefined
}): Record_ {
  const { jobId, epoch, writer, store, secrets, clock, log, progress, outflow } = input
  const warnings: { code: string; detail: string }[] = []
  const encoder = new TextEncoder()
  let heard = clock.monotonic()
  let waiting = 0
  let waitingCharacters = 0
  let told = 0
  let dropped = 0

  /** Whether there is room for one more event of so many characters. */
  function admits({ type }: EventBody, characters: number): boolean {
    // Told by an attempt itself, and few.
    if (!type.startsWith('agent.') && !type.startsWith('permission.')) return waiting < MAX_WAITING
    if (waiting >= MAX_WAITING || waitingCharacters >= MAX_WAITING_CHARACTERS) return false
    told += characters
    return told <= MAX_TOLD
  }
  const record: Record_ = {
    jobId,
    epoch,
    writer,
    warnings,
    // One that is made to wait is not silent.
    heard: () => (outflow?.isFull() ? clock.monotonic() : heard),
    touch() {
      heard = clock.monotonic()
    },
    emit(event) {
      record.touch()
      const short = shorten(event)
      const json = JSON.stringify(short)
      if (!admits(short, json.length)) {
        dropped += 1
        return
      }
      waiting += 1
      waitingCharacters += json.length
      progress.flush()
      void store
        .append(jobId, [redactJson(short, secrets, json)], clock.now(), { durable: false })
        .catch(error => log.error({ err: error, jobId, epoch, type: event.type }, 'Failed to store an event'))
        .finally(() => {
          waiting -= 1
          waitingCharacters -= json.length
        })
    },
    warn(code, detail) {
      const warning = { code, detail: secrets.redact(detail) }
      warnings.push(warning)
      record.emit({ type: 'warning', ...warning })
    },
    async log(bytes) {
      record.touch()
      await writer.write(typeof bytes === 'string' ? encoder.encode(bytes) : bytes)
      await record.room()
    },
    async room() {
      if (!outflow) return
      await outflow.room()
      record.touch()
    },
    async note(line) {
      await record.log(`── ${line}\n`)
    },
    finish() {
      if (dropped === 0) return
      const detail = `${dropped} reports were dropped: they came faster than they could be stored, or were too many together.`
      dropped = 0
      waiting = 0
      record.warn('events_dropped', detail)
    },
  }
  return record
}
