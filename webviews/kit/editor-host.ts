import type { RawAnswer, ServerState } from '#shared/contract/index.ts'
import type { CallInput, PageMessage, PageState, PanelMessage, Route } from '#shared/webview/index.ts'
import { fromBase64, joinBytes } from './bytes.ts'
import { CallError, type Host, type Item } from './host.ts'
import { createListeners } from './listeners.ts'
import { createPosition, type Position } from './position.ts'
import { toHash } from './route-hash.ts'

/** What VS Code gives a page, once. */
export interface EditorApi {
  postMessage(message: PageMessage): void
  getState(): PageState | undefined
  setState(state: PageState): void
}

interface Pending {
  readonly pieces: Uint8Array[]
  resolve(value: unknown): void
  reject(error: CallError): void
}
interface Subscription {
  readonly position: Position
  readonly take: (item: Item) => void
}

/** The host inside a panel: everything goes through messages (shared/webview/messages.ts). */
export function editorHost(api: EditorApi, target: Pick<Window, 'addEventListener'>): Host {
  const pending = new Map<number, Pending>()
  const subscriptions = new Map<number, Subscription>()
  const listeners = createListeners()
  let state: ServerState = { state: 'starting', reason: null }
  let route: Route = api.getState()?.route ?? { page: 'jobs' }
  let commands: Host['commands'] = new Set()
  let lastNumber = 0
  let isShown = false

  const handle = (message: PanelMessage) => {
    switch (message.type) {
      case 'show':
        route = shown(message.route)
        commands = new Set(message.commands)
        api.setState({ route, kept: api.getState()?.kept ?? {} })
        return listeners.tell()
      case 'server':
        state = message.state
        return listeners.tell()
      case 'answer':
      case 'failed':
        return settle(message)
      case 'piece':
        pending.get(message.id)?.pieces.push(fromBase64(message.base64))
        return
      case 'stream':
        return receive(message)
    }
  }

  /** A panel that shows the same again, after a reload, need not know which part of it was shown. */
  function shown(asked: Route): Route {
    const before = isShown ? undefined : api.getState()?.route
    isShown = true
    return before && thingOf(before) === thingOf(asked) ? before : asked
  }

  function settle(message: Extract<PanelMessage, { type: 'answer' | 'failed' }>): void {
    const call = pending.get(message.id)
    pending.delete(message.id)
    if (message.type === 'failed') call?.reject(new CallError(message.problem))
    else call?.resolve(message.value)
  }

  function receive({ subscription, cursor, item }: Extract<PanelMessage, { type: 'stream' }>): void {
    const there = subscriptions.get(subscription)
    // Offers and calls of models are for the process behind the editor and for the editor itself; no page subscribes to them.
    if (!there || item.type === 'offer' || item.type === 'modelQuestion') return
    const whole: Item = item.type === 'log' ? { type: 'log', offset: item.offset, bytes: fromBase64(item.base64) } : item
    const fresh = there.position.take(whole, cursor)
    // The server process promises to leave nothing out, so a gap is a fault to be shown, not one to be mended here.
    if (fresh === 'gap') there.take({ type: 'error', problem: gap })
    else if (fresh !== 'seen') there.take(fresh)
    if (item.type === 'end' || item.type === 'error') subscriptions.delete(subscription)
  }

  function ask(operation: string, input: unknown, isRaw: boolean, signal?: AbortSignal): Promise<[unknown, Uint8Array[]]> {
    const id = ++lastNumber
    const pieces: Uint8Array[] = []
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      pending.set(id, { pieces, resolve: value => resolve([value, pieces]), reject })
      signal?.addEventListener('abort', () => {
        if (!pending.delete(id)) return
        api.postMessage({ type: 'cancel', id })
        reject(signal.reason)
      })
      const call = { type: 'call', id, operation, input: input as CallInput, pieces: isRaw } as Extract<
        PageMessage,
        { type: 'call' }
      >
      api.postMessage(call)
    })
  }

  target.addEventListener('message', event => handle((event as MessageEvent<PanelMessage>).data))
  api.postMessage({ type: 'ready' })

  return {
    call: async (operation, input, signal) => (await ask(operation, input, false, signal))[0] as never,
    async bytes(operation, input, signal) {
      const [value, pieces] = await ask(operation, input, true, signal)
      const { base64 } = value as RawAnswer
      return joinBytes([...pieces, fromBase64(base64)])
    },
    subscribe(topic, cursor, take) {
      const subscription = ++lastNumber
      subscriptions.set(subscription, { position: createPosition(topic, cursor), take })
      api.postMessage({ type: 'subscribe', subscription, topic, ...(cursor === null ? {} : { cursor }) })
      return () => {
        if (subscriptions.delete(subscription)) api.postMessage({ type: 'unsubscribe', subscription })
      }
    },
    get state() {
      return state
    },
    get route() {
      return route
    },
    get commands() {
      return commands
    },
    watch: listeners.add,
    run: command => api.postMessage({ type: 'command', command }),
    reconnect: () => api.postMessage({ type: 'reconnect' }),
    place(next) {
      route = next
      api.setState({ route, kept: api.getState()?.kept ?? {} })
    },
    setTitle: title => api.postMessage({ type: 'title', title }),
    signIn: null,
    signOut: null,
    kept: () => api.getState()?.kept ?? {},
    keep: kept => api.setState({ route, kept }),
  }
}

/** What a route shows, whichever part of it. */
const thingOf = (route: Route): string => toHash(route.page === 'job' ? { page: 'job', jobId: route.jobId } : route)

const gap = {
  type: 'about:blank',
  title: 'Something is missing',
  status: 500,
  detail: 'A part of the stream did not arrive. Close this page and open it again.',
  code: 'internal',
} as const
