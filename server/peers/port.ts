import type {
  Announcement,
  AttemptPlace,
  AttemptReport,
  Award,
  Bid,
  Card,
  JobId,
  ModelCallNews,
  NodeId,
  Trust,
} from '#shared/model/index.ts'

/** An attempt as both of its nodes name it. */
export interface AttemptName {
  readonly jobId: JobId
  readonly epoch: number
}

/** What a home says with a renewal. */
export interface Renewal {
  readonly leaseMs: number
  /** The mark of the last report. */
  readonly mark: number | null
  /** Number of the last event that is safe at home. */
  readonly after: number
  /** Bytes of the attempt's log that are; a home of an older version does not say. */
  readonly logSafe?: number | undefined
  readonly waitMs: number
  readonly cancel: boolean
}

/** A piece of a file on its way to another node. */
export interface Shipment {
  readonly file: string
  readonly bytes: number
  readonly sha256: string
}

/**
 * What a home asks of one other node. Everything may be asked again: a repeated request is answered as the first was.
 * @throws {ApiError} from each: `peer_unreachable` when there was no answer, `not_yours` when the attempt is not, or no longer, ours.
 */
export interface PeerLink {
  announce(announcement: Announcement, signal: AbortSignal): Promise<Bid>
  releaseBid(bidId: string): Promise<void>
  award(award: Award, signal: AbortSignal): Promise<{ needsSnapshot: boolean; mark: number }>
  /** Sends what the other node does not have yet. */
  shipSnapshot(attempt: AttemptName, shipment: Shipment, signal: AbortSignal): Promise<void>
  renew(attempt: AttemptName, renewal: Renewal, signal: AbortSignal): Promise<AttemptReport>
  /** Bytes of an attempt's log from an offset, until it ends. Each piece is the reader's, its memory too. */
  log(attempt: AttemptName, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** The bundle with the result commit. */
  result(attempt: AttemptName, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** Model calls of an attempt that wait for this node, those it has not heard of. */
  modelCalls(
    attempt: AttemptName,
    known: { after: number; open: readonly number[]; waitMs: number },
    signal: AbortSignal,
  ): Promise<ModelCallNews>
  /** Sends a part of the answer to one of them; the worker takes its time while the program reads slowly. */
  answerModelCall(
    attempt: AttemptName,
    call: number,
    piece: {
      offset: number
      status: number
      type: string
      retryAfter?: string | undefined
      end: 'more' | 'whole' | 'broken'
      body: Uint8Array
    },
    signal: AbortSignal,
  ): Promise<{ bytes: number; isOpen: boolean }>
  /** The sandboxes of an attempt that exist now. */
  places(attempt: AttemptName, signal: AbortSignal): Promise<readonly AttemptPlace[]>
  settle(attempt: AttemptName): Promise<void>
  answer(attempt: AttemptName, requestId: string, optionId: string): Promise<void>
}

/** A node that asks, with what a mesh says of it. */
export interface Asker {
  readonly id: NodeId
  readonly name: string
  readonly user: string | null
  readonly tags: readonly string[]
}

/** Other nodes, as jobs see them. */
export interface Fleet {
  readonly self: { readonly id: NodeId; readonly name: string }
  /** What the nodes that run our jobs told of themselves last, of those that answer. */
  cards(): readonly Card[]
  /** Names of nodes that run our jobs and have told nothing of themselves yet, and of which nobody knows that they are away. */
  unheard(): readonly string[]
  /** Whether this node takes jobs of another. */
  accepts(home: NodeId): boolean
  /** Who a node is, as far as this one knows. */
  who(node: NodeId): Asker
  /** Why a node is given our jobs. */
  trust(node: NodeId): Exclude<Trust, 'self'>
  /** null for a node we do not give jobs to. */
  link(node: NodeId): PeerLink | null
  /** Called when a card or the trust in a node changed. */
  onChange(listener: () => void): () => void
}
