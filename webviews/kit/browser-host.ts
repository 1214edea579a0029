import './no-compiling.ts'
import { createClient } from '#shared/contract/client.ts'
import { ApiError } from '#shared/contract/errors.ts'
import type { Route } from '#shared/webview/index.ts'
import { CallError, type Host, type HostState } from './host.ts'
import { createListeners } from './listeners.ts'
import { fromHash, toHash } from './route-hash.ts'
import { createStream, type Stream } from './stream.ts'

/** In the storage of one tab and one origin (decision 0139). */
const TOKEN = 'skein.token'
const KEPT = 'skein.kept'

/** The host in a browser: the API of the node that served the page, and its stream. */
export function browserHost(window: Window): Host {
  const { sessionStorage, location, history } = window
  const listeners = createListeners()
  let token = takeTokenFromAddress(window) ?? sessionStorage.getItem(TOKEN)
  let state: HostState = { state: 'starting', reason: null }
  let version = ''
  let stream: Stream | null = null
  /** Asked for while nobody is signed in. */
  let route: Route = fromHash(location.hash) ?? { page: 'jobs' }
  const become = (next: HostState) => {
    state = next
    listeners.tell()
  }

  function signOut(reason: string | null): void {
    token = null
    sessionStorage.removeItem(TOKEN)
    stream?.close()
    stream = null
    become({ state: 'signed-out', reason })
  }

  const ready = (node: string) => become({ state: 'ready', url: location.origin, node, version, isLocal: true, logFile: null })

  function open(mine: string): Stream {
    return createStream({
      token: mine,
      origin: location.origin,
      tell(next) {
        if (next.state === 'denied') signOut('The node does not accept this token.')
        else if (next.state === 'open') {
          ready(next.node)
          void learnVersion()
        } else if (next.state === 'lost')
          become({
            state: 'lost',
            reason: 'The node does not answer.',
            remedy: 'Is it running? `skein serve` starts it.',
            retryInMs: next.retryInMs,
            logFile: null,
          })
      },
    })
  }

  const carrier = async (
    path: string,
    init: { method: string; headers: Record<string, string>; body?: string | Uint8Array; signal?: unknown },
  ) => fetch(path, { ...(init as RequestInit), credentials: 'omit', redirect: 'error', cache: 'no-store' })
  const client = () => createClient(carrier, token)

  async function ask<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof ApiError))
        throw new CallError(
          { code: 'not_ready', detail: 'The node does not answer.', remedy: 'Is it running? `skein serve` starts it.' },
          { cause: error },
        )
      if (error.code === 'unauthorized') signOut(token === null ? null : 'The node does not accept this token.')
      throw new CallError(error.toProblem(), { cause: error })
    }
  }

  /** A page and its node are of one version: after an update of the node the page is loaded anew. */
  async function learnVersion(): Promise<void> {
    const health = await client()
      .health()
      .catch(() => null)
    if (!health) return
    if (version !== '' && version !== health.version) return location.reload()
    version = health.version
    if (state.state === 'ready') ready(state.node)
  }

  window.addEventListener('hashchange', () => {
    // What is shown belongs to whoever was signed in.
    if (takeTokenFromAddress(window) !== null) return location.reload()
    const next = fromHash(location.hash)
    if (next) route = next
    else history.replaceState(null, '', toHash(route))
    listeners.tell()
  })
  window.addEventListener('online', () => stream?.reconnect())
  if (token === null) state = { state: 'signed-out', reason: null }
  else stream = open(token)
  void learnVersion()

  return {
    call: (operation, input, signal) => ask(() => (client()[operation] as AnyCall)(input, { signal }) as never, signal),
    bytes: (operation, input, signal) =>
      ask(async () => {
        const answer = (await (client()[operation] as AnyCall)(input, { signal })) as Response
        return new Uint8Array(await answer.arrayBuffer())
      }, signal),
    subscribe(topic, cursor, take) {
      if (!stream) return () => {}
      return stream.subscribe(topic, cursor, take)
    },
    get state() {
      return state
    },
    get route() {
      return route
    },
    commands: new Set(['open'] as const),
    watch: listeners.add,
    run(command) {
      if (command.name === 'open') location.hash = toHash(command.route)
    },
    reconnect: () => stream?.reconnect(),
    place(next) {
      route = next
      history.replaceState(null, '', toHash(next))
    },
    setTitle(title) {
      window.document.title = `${title} · Skein`
    },
    signIn(given) {
      token = given
      sessionStorage.setItem(TOKEN, given)
      become({ state: 'starting', reason: null })
      stream = open(given)
    },
    signOut: () => signOut(null),
    kept: () => JSON.parse(sessionStorage.getItem(KEPT) ?? '{}') as Record<string, unknown>,
    keep: kept => sessionStorage.setItem(KEPT, JSON.stringify(kept)),
  }
}

/** Any method of the client, its types forgotten: `Host` pairs each name with its own. */
type AnyCall = (input: unknown, options: { signal: AbortSignal | undefined }) => Promise<unknown>

/** `#token=…` signs in; the fragment reaches no server and no log, and is taken out of the address at once. */
function takeTokenFromAddress({ location, history, sessionStorage }: Window): string | null {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1] ?? null
  if (token === null) return null
  history.replaceState(null, '', location.pathname)
  sessionStorage.setItem(TOKEN, token)
  return token
}
