import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { type ClusterApi, ClusterError } from './cluster-api.ts'
import { listOf } from './objects.ts'

interface Named {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion?: string | undefined }
}

export interface Informer {
  /** Fulfils once everything there was has been told of. */
  readonly synced: Promise<void>
  stop(): void
}

export interface InformerInput<T extends Named> {
  readonly api: ClusterApi
  /** Of the list, such as `/api/v1/namespaces/skein/pods`. */
  readonly path: string
  /** Selectors. */
  readonly query: Readonly<Record<string, string>>
  readonly item: z.ZodType<T>
  /** `false`: what there was before does not matter; only what comes is told of. */
  readonly isKept: boolean
  changed(item: T): void
  removed(item: T): void
  /** Told once when it goes wrong and once when it is well again (null). */
  trouble(error: ClusterError | null): void
  readonly clock: Clock
  /** Between 0 and 1. */
  random(): number
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000
const PAGE = '500'
/** The server ends a watch after about so long, and bookmarks come each minute. */
const WATCH_SECONDS = 300
const SILENCE_MS = 150_000
const GONE = 410

/**
 * Tells of all objects of a kind, and then of each change: a list, then a watch from where the list ended. A watch that ends is
 * taken up where it was; one that the server cannot continue (410) begins with a list again, and what the list lacks is told of
 * as removed. While the API server is gone it is asked again at growing pauses.
 */
export function startInformer<T extends Named>(input: InformerInput<T>): Informer {
  const { api, path, query, item, isKept, clock } = input
  const stopped = new AbortController()
  const { promise: synced, resolve: isSynced } = Promise.withResolvers<void>()
  const known = new Map<string, T>()
  const List = listOf(item)
  const Line = z.object({ type: z.string(), object: z.unknown() })
  let version: string | null = null
  let isTroubled = false

  const list = async () => {
    const seen = new Set<string>()
    let next: string | undefined
    let newest = ''
    do {
      const page: z.infer<typeof List> = await api.call('GET', path, List, {
        query: { ...query, limit: isKept ? PAGE : '1', ...(next === undefined ? {} : { continue: next }) },
        signal: stopped.signal,
      })
      newest = page.metadata.resourceVersion
      for (const object of isKept ? (page.items as T[]) : []) {
        seen.add(object.metadata.uid)
        remember(object)
      }
      next = isKept ? page.metadata.continue || undefined : undefined
    } while (next !== undefined)
    for (const object of [...known.values()].filter(({ metadata }) => !seen.has(metadata.uid))) forget(object)
    version = newest
  }

  const remember = (object: T) => {
    if (isKept) known.set(object.metadata.uid, object)
    input.changed(object)
  }
  const forget = (object: T) => {
    known.delete(object.metadata.uid)
    input.removed(object)
  }

  const read = (line: unknown) => {
    const { type, object } = Line.parse(line)
    const { resourceVersion } = (object as { metadata?: { resourceVersion?: string } }).metadata ?? {}
    if (type !== 'BOOKMARK') {
      const parsed = item.safeParse(object)
      if (parsed.success) (type === 'DELETED' ? forget : remember)(parsed.data)
    }
    if (resourceVersion) version = resourceVersion
  }

  const watch = (from: string) =>
    api.watch(
      path,
      { ...query, resourceVersion: from, allowWatchBookmarks: 'true', timeoutSeconds: String(WATCH_SECONDS) },
      line => {
        well()
        read(line)
      },
      { signal: stopped.signal, silenceMs: SILENCE_MS },
    )

  const well = () => {
    if (isTroubled) input.trouble(null)
    isTroubled = false
  }

  const run = async () => {
    let pause = FIRST_PAUSE_MS
    while (!stopped.signal.aborted) {
      const began = clock.monotonic()
      try {
        if (version === null) await list()
        well()
        isSynced()
        await watch(version ?? '')
      } catch (error) {
        if (stopped.signal.aborted) return
        const failure =
          error instanceof ClusterError ? error : new ClusterError(0, 'Unreadable', (error as Error).message, { cause: error })
        if (failure.status === GONE) version = null
        else {
          if (!isTroubled) input.trouble(failure)
          isTroubled = true
        }
      }
      // A watch that lasted ends a row of failures; one that the server ends at once is not asked for in a tight loop.
      if (clock.monotonic() - began > LONGEST_PAUSE_MS) pause = FIRST_PAUSE_MS
      await wait(pause * (0.5 + input.random() / 2))
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    }
  }

  let wake = () => {}
  const wait = (ms: number) =>
    new Promise<void>(resolve => {
      const cancel = clock.after(ms, resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })

  void run()
  return {
    synced,
    stop() {
      stopped.abort()
      wake()
    },
  }
}
