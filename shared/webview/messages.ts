import type { OperationName, Problem, ServerState, StreamItem, Topic } from '../contract/index.ts'
import type { JobId } from '../model/index.ts'
import type { Route } from './route.ts'

/**
 * What a page and the panel that shows it say to each other, by `postMessage`. The panel holds no logic: calls and streams are those of
 * `skein lsp` (docs/guides/lsp.md), handed on as they are. docs/guides/pages.md tells it as a story.
 */

/** From the page. */
export type PageMessage =
  /** The first message, after every load: the panel answers with `show` and `server`. */
  | { readonly type: 'ready' }
  /** Any operation of the API, as `skein/call` takes it; answered by one `answer` or `failed` under the same id. */
  | {
      readonly type: 'call'
      readonly id: number
      readonly operation: OperationName
      readonly input?: CallInput
      /** Send a raw body as `piece` messages before the answer. */
      readonly pieces: boolean
    }
  /** The page waits for that call no more. */
  | { readonly type: 'cancel'; readonly id: number }
  /** As `skein/subscribe`. Numbers are the page's; two pages may use the same. */
  | { readonly type: 'subscribe'; readonly subscription: number; readonly topic: Topic; readonly cursor?: number }
  | { readonly type: 'unsubscribe'; readonly subscription: number }
  /** Look for the server at once: `skein/reconnect`. */
  | { readonly type: 'reconnect' }
  /** What only the editor can do. */
  | { readonly type: 'command'; readonly command: PageCommand }
  /** What the tab of the panel should be called. */
  | { readonly type: 'title'; readonly title: string }

/** From the panel. */
export type PanelMessage =
  /** What to show, now and whenever that changes, and what the panel can do. */
  | { readonly type: 'show'; readonly route: Route; readonly commands: readonly PageCommandName[] }
  /** How the orchestrator stands: with `show`, and whenever it changes. */
  | { readonly type: 'server'; readonly state: ServerState }
  /** The operation's output; of raw answers a `RawAnswer`. */
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly problem: Problem }
  | { readonly type: 'piece'; readonly id: number; readonly base64: string }
  /** As `skein/stream`. */
  | { readonly type: 'stream'; readonly subscription: number; readonly cursor: number | null; readonly item: StreamItem }

export interface CallInput {
  readonly params?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, unknown>>
  readonly body?: unknown
}

/** What a person may ask of the editor from a page; a page offers those that `show` names. */
export type PageCommand =
  /** Show another page, in a panel of its own. */
  | { readonly name: 'open'; readonly route: Route }
  /** The multi-diff editor with the changes of a job. */
  | { readonly name: 'review'; readonly jobId: JobId }
  | { readonly name: 'apply'; readonly jobId: JobId }
  | { readonly name: 'checkOut'; readonly jobId: JobId }
  | { readonly name: 'discard'; readonly jobId: JobId }
  /** A file of a work tree; `line` counts from 0. An agent may have named it: the panel opens nothing outside the repository. */
  | { readonly name: 'openFile'; readonly repository: string; readonly path: string; readonly line: number | null }
  /** The settings and the log of the server, for when it cannot be had. */
  | { readonly name: 'showServerLog' }
export type PageCommandName = PageCommand['name']
