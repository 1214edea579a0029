import type { Arguments, OperationName, Operations, Topic } from '#shared/contract/index.ts'
import type { PageCommand, PageCommandName, PageMessage, PanelMessage, Route } from '#shared/webview/index.ts'
import type { Backend } from '../backend/backend.ts'
import { BackendError, notReady, refused } from '../backend/failure.ts'
import type { Disposable } from '../state/signal.ts'

/** What the editor can do for a page. */
const PAGE_COMMANDS: readonly PageCommandName[] = ['open', 'review', 'apply', 'checkOut', 'discard', 'openFile', 'showServerLog']

/** What a page may follow. The others answer for this editor: who follows them is asked instead of it, or offers something. */
const PAGE_TOPICS: ReadonlySet<Topic['name']> = new Set(['jobs', 'job', 'log', 'peers'])

export interface PageSessionDeps {
  readonly backend: Backend
  readonly post: (message: PanelMessage) => void
  readonly setTitle: (title: string) => void
  readonly run: (command: PageCommand) => void
}

/** The panel's half of a conversation with a page: hands calls and streams on as they are, and ends them with the page. */
export interface PageSession extends Disposable {
  receive(message: PageMessage): void
  /** Has the page show something else. */
  show(route: Route): void
  readonly route: Route
}

export function createPageSession(first: Route, { backend, post, setTitle, run }: PageSessionDeps): PageSession {
  const calls = new Map<number, AbortController>()
  const streams = new Map<number, Disposable>()
  let route = first
  let isReady = false

  function endAll(): void {
    for (const call of calls.values()) call.abort()
    for (const stream of streams.values()) stream.dispose()
    calls.clear()
    streams.clear()
  }
  async function call({ id, operation, input, pieces }: Extract<PageMessage, { type: 'call' }>): Promise<void> {
    const abort = new AbortController()
    calls.set(id, abort)
    const answer = (message: PanelMessage) => {
      // One that was ended, by the page or by its reload, is answered no more.
      if (calls.get(id) === abort) post(message)
    }
    const onPiece = (base64: string) => answer({ type: 'piece', id, base64 })
    try {
      const value = await backend.call(operation, input as Arguments<Operations[OperationName]> | undefined, {
        signal: abort.signal,
        ...(pieces ? { onPiece } : {}),
      })
      answer({ type: 'answer', id, value })
    } catch (error) {
      const failure = error instanceof BackendError ? error : notReady({ reason: String(error), remedy: null }, error)
      answer({ type: 'failed', id, problem: failure.problem })
    } finally {
      if (calls.get(id) === abort) calls.delete(id)
    }
  }
  function subscribe({ subscription, topic, cursor }: Extract<PageMessage, { type: 'subscribe' }>): void {
    streams.get(subscription)?.dispose()
    if (!PAGE_TOPICS.has(topic.name)) {
      const { problem } = refused(`No page follows ${topic.name}.`)
      post({ type: 'stream', subscription, cursor: null, item: { type: 'error', problem } })
      return
    }
    const stream = backend.follow(topic, cursor, followed => post({ type: 'stream', subscription, ...followed }))
    streams.set(subscription, stream)
  }
  function show(): void {
    post({ type: 'show', route, commands: PAGE_COMMANDS })
  }
  const watching = backend.onState(state => {
    if (isReady) post({ type: 'server', state })
  })

  return {
    get route() {
      return route
    },
    show(next) {
      route = next
      if (isReady) show()
    },
    receive(message) {
      switch (message.type) {
        case 'ready':
          endAll()
          isReady = true
          show()
          return post({ type: 'server', state: backend.state })
        case 'call':
          return void call(message)
        case 'cancel': {
          const ended = calls.get(message.id)
          calls.delete(message.id)
          return ended?.abort()
        }
        case 'subscribe':
          return subscribe(message)
        case 'unsubscribe':
          streams.get(message.subscription)?.dispose()
          return void streams.delete(message.subscription)
        case 'reconnect':
          return void backend.reconnect().catch(() => {})
        case 'command':
          return run(message.command)
        case 'title':
          return setTitle(message.title)
      }
    },
    dispose() {
      watching.dispose()
      endAll()
    },
  }
}
