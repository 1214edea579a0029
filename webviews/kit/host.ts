import type { Arguments, Operations, Problem, ServerState, Topic } from '#shared/contract/index.ts'
import type { JobEvent, Peer } from '#shared/model/index.ts'
import type { PageCommand, PageCommandName, PageState, Route } from '#shared/webview/index.ts'

/** Operations that answer with JSON, and what each gives. */
type JsonName = {
  [K in keyof Operations]: Operations[K]['answer'] extends { kind: 'json' | 'events' } ? K : never
}[keyof Operations]
type RawName = { [K in keyof Operations]: Operations[K]['answer'] extends { kind: 'bytes' } ? K : never }[keyof Operations]
type Answered<K extends JsonName> = Operations[K]['answer'] extends { schema: { _output: infer Out } } ? Out : never
/** Whether every part may be left out. */
type Input<K extends keyof Operations> = Arguments<Operations[K]>

/** How the server stands, as a page needs to know. */
export type HostState =
  | ServerState
  /** It answers, and wants to know who asks; `reason` when it has refused somebody. */
  | { readonly state: 'signed-out'; readonly reason: string | null }

/** What a subscription brings, in order, nothing left out and nothing twice, over restarts of the server too. */
export type Item =
  | { readonly type: 'event'; readonly event: JobEvent }
  | { readonly type: 'log'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'peers'; readonly whole: boolean; readonly items: readonly Peer[]; readonly removed: readonly string[] }
  | { readonly type: 'end' }
  | { readonly type: 'error'; readonly problem: Problem }

/** Why a call failed, for the eyes of a person. */
export class CallError extends Error {
  readonly problem: Pick<Problem, 'code' | 'detail' | 'remedy' | 'issues'>

  constructor(problem: CallError['problem'], options?: { cause: unknown }) {
    super(problem.detail, options)
    this.name = 'CallError'
    this.problem = problem
  }
}

/** What shows the pages: a panel of the editor, or a browser. The one way of a page to anything outside of it. */
export interface Host {
  /** @throws {CallError} */
  call<K extends JsonName>(operation: K, input: Input<K>, signal?: AbortSignal): Promise<Answered<K>>
  /** The bytes of a raw answer. @throws {CallError} */
  bytes<K extends RawName>(operation: K, input: Input<K>, signal?: AbortSignal): Promise<Uint8Array>
  /** @param cursor the last thing already seen; null: as the topic begins. @returns what ends it */
  subscribe(topic: Topic, cursor: number | null, take: (item: Item) => void): () => void

  readonly state: HostState
  readonly route: Route
  /** What the editor can do; a browser can only open pages. */
  readonly commands: ReadonlySet<PageCommandName>
  /** Tells of changes of those three. @returns what ends it */
  watch(changed: () => void): () => void

  run(command: PageCommand): void
  /** Tries at once to reach the server. */
  reconnect(): void
  setTitle(title: string): void
  /** Says that the page went on to another part of what it shows, which a reload is to show again. */
  place(route: Route): void
  /** Only where one can be `signed-out`. */
  readonly signIn: ((token: string) => void) | null
  readonly signOut: (() => void) | null

  /** What was kept, by the last page too. */
  kept(): PageState['kept']
  keep(kept: PageState['kept']): void
}
