import type { Clock } from '#server/lib/clock.ts'
import type { ClusterApi, ClusterError } from './cluster-api.ts'
import { type Informer, startInformer } from './informer.ts'
import { LABEL, nodeSelector } from './names.ts'
import { ClusterEvent, Job, Pod } from './objects.ts'
import type { Sight } from './status.ts'

/** What is seen of one sandbox, kept up to date while it is followed. */
export interface Sighting extends Sight {
  /** Whether its Job was there and is no more. */
  readonly isJobGone: boolean
  /** Whether its pod was there and is no more. */
  readonly isPodGone: boolean
}

export interface Sightings {
  /** @param changed called after each change of what is seen. @returns how to stop following. */
  follow(name: string, changed: (seen: Sighting) => void): Promise<() => void>
  /** How the watch itself is; null when it is well. */
  trouble(): ClusterError | null
  close(): void
}

/** How long the watch goes on when there is nothing to follow: the next sandbox is often not far. */
const LINGER_MS = 60_000
const MOST_EVENTS = 20

interface Entry {
  seen: Sighting
  changed(seen: Sighting): void
}

/** One watch of Jobs, one of pods and one of events for all sandboxes of this node; none while there are none. */
export function watchSandboxes(deps: {
  api: ClusterApi
  nodeId: string
  namespace: string
  clock: Clock
  random(): number
  log: { warn(fields: object, message: string): void; info(fields: object, message: string): void }
}): Sightings {
  const { api, namespace, clock, random, log } = deps
  const followed = new Map<string, Entry>()
  let informers: readonly Informer[] = []
  let stopLater = () => {}
  let trouble: ClusterError | null = null

  const see = (name: string | undefined, change: (seen: Sighting) => Partial<Sighting>) => {
    const entry = followed.get(name ?? '')
    if (!entry) return
    entry.seen = { ...entry.seen, ...change(entry.seen) }
    entry.changed(entry.seen)
  }

  const say = (error: ClusterError | null) => {
    if (error && !trouble) log.warn({ err: error, cluster: api.said }, 'The watch of sandboxes was cut, and is tried again')
    if (!error && trouble) log.info({ cluster: api.said }, 'The watch of sandboxes goes on')
    trouble = error
  }

  const start = (): readonly Informer[] => {
    const common = { api, clock, random, trouble: say }
    const mine = { labelSelector: nodeSelector(deps.nodeId) }
    const jobOf = ({ metadata }: Pod) => metadata.labels['job-name'] ?? metadata.labels['batch.kubernetes.io/job-name']
    return [
      startInformer({
        ...common,
        path: `/apis/batch/v1/namespaces/${namespace}/jobs`,
        query: mine,
        item: Job,
        isKept: true,
        changed: job => see(job.metadata.name, () => ({ job })),
        removed: job => see(job.metadata.name, () => ({ job, isJobGone: true })),
      }),
      startInformer({
        ...common,
        path: `/api/v1/namespaces/${namespace}/pods`,
        query: { labelSelector: `${mine.labelSelector},${LABEL.sandbox}` },
        item: Pod,
        isKept: true,
        changed: pod => see(jobOf(pod), () => ({ pod })),
        removed: pod => see(jobOf(pod), () => ({ pod, isPodGone: true })),
      }),
      startInformer({
        ...common,
        path: `/api/v1/namespaces/${namespace}/events`,
        query: {},
        item: ClusterEvent,
        isKept: false,
        changed({ involvedObject: { kind, name = '' }, type, reason, message }) {
          const job = kind === 'Pod' ? name.slice(0, name.lastIndexOf('-')) : name
          see(job, ({ events }) => ({ events: [...events, { type, reason, message }].slice(-MOST_EVENTS) }))
        },
        removed() {},
      }),
    ]
  }

  const stop = () => {
    for (const informer of informers) informer.stop()
    informers = []
    trouble = null
  }

  return {
    async follow(name, changed) {
      stopLater()
      const entry: Entry = { seen: { job: null, pod: null, events: [], isJobGone: false, isPodGone: false }, changed }
      followed.set(name, entry)
      if (informers.length === 0) informers = start()
      await Promise.all(informers.map(({ synced }) => synced))
      return () => {
        if (followed.get(name) !== entry) return
        followed.delete(name)
        if (followed.size === 0) stopLater = clock.after(LINGER_MS, stop)
      }
    },
    trouble: () => trouble,
    close() {
      stopLater()
      followed.clear()
      stop()
    },
  }
}
