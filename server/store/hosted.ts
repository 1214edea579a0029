import type { AttemptEnd, Award, EventBody, JobId, JobState, NodeId } from '#shared/model/index.ts'
import type { Lesson } from './learned.ts'

/** Which attempt of which node's job. */
export interface HostedKey {
  readonly home: NodeId
  readonly jobId: JobId
  readonly epoch: number
}

/** An attempt that this node runs for another. */
export interface HostedRow extends HostedKey {
  readonly state: JobState
  readonly award: Award
  /** null while it runs. */
  readonly end: AttemptEnd | null
  /** Number of its last event. */
  readonly lastN: number
  /** ms since 1970. */
  readonly acceptedAt: number
}

/** An event of a hosted attempt; its home gives it its place among the events of the job. */
export interface HostedEvent {
  readonly n: number
  readonly at: string
  readonly body: EventBody
}

/** What a worker keeps of others' attempts until their home has it. The same promises as the store's own. */
export interface HostedStore {
  /**
   * @returns false when the attempt is there already, or a job of this node or of another home has its id: whoever was asked for a bid
   * knows the id of a job that is not its own
   */
  accept(key: HostedKey, award: Award, at: number): Promise<boolean>
  /** Appends events, and moves or ends the attempt with them. @returns false when it is gone or has ended. */
  append(
    key: HostedKey,
    events: readonly EventBody[],
    at: number,
    options?: { state?: JobState; end?: AttemptEnd; lesson?: Lesson | undefined; durable?: boolean },
  ): Promise<boolean>
  get(key: HostedKey): Promise<HostedRow | null>
  all(): Promise<HostedRow[]>
  events(key: HostedKey, after: number, limit: number): Promise<HostedEvent[]>
  /** Events up to a number are safe at home: they are forgotten with the next write, soon. */
  forgetEvents(key: HostedKey, upTo: number): Promise<void>
  remove(key: HostedKey): Promise<void>
  /** Called after each durable write that added events or ended an attempt. */
  onChange(listener: (key: HostedKey) => void): () => void
}
