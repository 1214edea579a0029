import type { JobEvent, JobId, ModelQuestionNotice, Peer, SpecOffer, SpecTaskRef } from '../model/index.ts'
import type { Problem } from './errors.ts'
import type { LspInitialization } from './lsp-input.ts'
import type { Arguments, Operation, Output } from './operation.ts'
import type { OperationName, Operations } from './operations.ts'
import type { Topic } from './stream.ts'

/**
 * What `skein lsp` speaks besides the Language Server Protocol, on the same connection. docs/guides/lsp.md tells it as a story.
 * This file holds no schema, so that a client pays for nothing but the names.
 */

/** What a client sends as `initializationOptions`; defaults may be left out. */
export type { LspInitialization }

/** Requests of the client. */
export const LSP_REQUESTS = {
  /** {@link CallParams} -> {@link CallResult}: any operation of the API but those of nodes and those that need no server. */
  call: 'skein/call',
  /** {@link SubscribeParams} -> null: follow a topic, over restarts of the server too. */
  subscribe: 'skein/subscribe',
  /** {@link UnsubscribeParams} -> null */
  unsubscribe: 'skein/unsubscribe',
  /** nothing -> {@link ServerState}: how it stands now. */
  serverState: 'skein/getServerState',
  /** nothing -> null: look for the server, or start it, at once instead of when the pause between two tries is over. */
  reconnect: 'skein/reconnect',
  /** nothing -> {@link DoctorAnswer}: what `skein doctor` says on this machine. */
  doctor: 'skein/doctor',
} as const

/** Notifications of the server process. */
export const LSP_NOTIFICATIONS = {
  /** {@link ServerState}: it changed. The first comes after `initialized`. */
  serverState: 'skein/serverState',
  /** {@link StreamParams}: the next item of a subscription, in order, none left out and none twice. */
  stream: 'skein/stream',
  /** {@link PieceParams}: the next part of the answer of a call that asked for `pieces`; all come before its response. */
  piece: 'skein/piece',
  /** {@link SpecsChangedParams}: ask for the specs of these folders again. At most five a second. */
  specsChanged: 'skein/specsChanged',
} as const

/** Code of a JSON-RPC error whose `data` is a {@link Problem}. Its message is the problem's detail. */
export const LSP_PROBLEM = -32050

/** Commands that code lenses carry; the client owns them. Each takes one argument. */
export const LSP_COMMANDS = {
  /** Argument: {@link SpecTaskArgument}. Runs the task on the fleet. */
  runTask: 'skein.specs.runTask',
  /** Argument: {@link JobArgument}. Shows a job. */
  openJob: 'skein.jobs.open',
  /** Argument: {@link JobArgument}. Shows the changes of a job. */
  reviewJob: 'skein.jobs.review',
} as const

export interface SpecTaskArgument extends SpecTaskRef {
  /** Absolute path of the work tree. */
  readonly repository: string
  /** URI of tasks.md. */
  readonly document: string
  readonly title: string
  /** The job before, if there was one. */
  readonly jobId: JobId | null
}
export interface JobArgument {
  readonly jobId: JobId
}

export interface CallParams<Name extends OperationName = OperationName> {
  readonly operation: Name
  /** `params`, `query`, `headers` and `body`, as the typed client of the API takes them. */
  readonly input?: Arguments<Operations[Name]>
  /** Any number of the client's choice: the body of a raw answer comes as `skein/piece` under it. Without, as a whole, at most 16 MiB. */
  readonly pieces?: number
}

/** The answer as the operation defines it; of operations that answer with bytes or in OpenAI's format a {@link RawAnswer}. */
export type CallResult<O extends Operation> = O['answer'] extends { kind: 'bytes' | 'openai' } ? RawAnswer : Output<O>

export interface RawAnswer {
  readonly status: number
  readonly mediaType: string | null
  /** Length of the log, of `readLog`; else null. */
  readonly logSize: number | null
  /** Empty when the body came in pieces. */
  readonly base64: string
}
export interface PieceParams {
  readonly pieces: number
  readonly base64: string
}

export interface SubscribeParams {
  /** Chosen by the client, unique among what is open. */
  readonly subscription: number
  readonly topic: Topic
  /** The last that was already seen; default as on the WebSocket. */
  readonly cursor?: number
}
export interface UnsubscribeParams {
  readonly subscription: number
}

export type StreamItem =
  | { readonly type: 'event'; readonly event: JobEvent }
  | { readonly type: 'log'; readonly offset: number; readonly base64: string }
  | { readonly type: 'peers'; readonly whole: boolean; readonly items: readonly Peer[]; readonly removed: readonly string[] }
  | { readonly type: 'offer'; readonly offer: SpecOffer }
  | { readonly type: 'modelQuestion'; readonly question: ModelQuestionNotice }
  /** Nothing more comes: the job is over. */
  | { readonly type: 'end' }
  /** The server does not carry this topic any further; the subscription is closed. */
  | { readonly type: 'error'; readonly problem: Problem }

export interface StreamParams {
  readonly subscription: number
  /** Give this when subscribing again. null: as before. */
  readonly cursor: number | null
  readonly item: StreamItem
}

/**
 * How the orchestrator stands. `starting`: it is looked for, or was started and is not ready yet; calls wait. `ready`: calls are
 * answered. `lost`: it cannot be had; calls fail with `not_ready` and the reason, and it is tried again by itself.
 */
export type ServerState =
  | { readonly state: 'starting'; readonly reason: string | null }
  | {
      readonly state: 'ready'
      readonly url: string
      readonly node: string
      readonly version: string
      /** Whether it is on this machine, found by its data directory. */
      readonly isLocal: boolean
      /** Where it writes its log; null when nobody on this machine knows. */
      readonly logFile: string | null
    }
  | {
      readonly state: 'lost'
      readonly reason: string
      readonly remedy: string | null
      /** Until the next try, ms. */
      readonly retryInMs: number
      readonly logFile: string | null
    }

export interface SpecsChangedParams {
  /** Absolute paths of the work trees. */
  readonly repositories: readonly string[]
}
export interface DoctorAnswer {
  readonly text: string
  readonly isHealthy: boolean
}
