import { createHash } from 'node:crypto'
import type { Logs, LogWriter } from '#server/logs/index.ts'
import type { Change, HostedKey, HostedStore, JobRow } from '#server/store/index.ts'
import type { Award, JobSpec, Limits, NodeId } from '#shared/model/index.ts'

/** Name of an attempt among the files of a worker. Only one home has jobs of that id here. */
export const fileNameOf = ({ home, jobId, epoch }: HostedKey): string => `${jobId}.${epoch}.${home.slice(0, 8)}`

/** The repository of another node, as a cache here is called: no other home can make a key whose caches are called so. */
export const repositoryOf = (home: NodeId, repositoryId: string): string =>
  `hosted-${createHash('sha256').update(`${home}/${repositoryId}`).digest('hex').slice(0, 40)}`

/** The job of another node as this one runs it: under its own limits, and never without a sandbox. */
export function hostedJob({ home }: HostedKey, award: Award, limits: Limits, at: number): JobRow {
  const { jobId, epoch, title, spec, snapshot } = award
  return {
    id: jobId,
    state: 'placing',
    epoch,
    title,
    priority: 0,
    spec: { ...spec, sandbox: 'required', limits: atMost(spec.limits, limits) },
    snapshot: snapshot && { ...snapshot, repositoryId: repositoryOf(home, snapshot.repositoryId) },
    createdAt: at,
    updatedAt: at,
    startedAt: at,
    endedAt: null,
    queueDeadline: at,
    cancelRequested: false,
    retryOf: null,
    failure: null,
    result: null,
    undelivered: false,
    losses: 0,
  }
}

function atMost(wanted: JobSpec['limits'], limits: Limits): Limits {
  const entries = Object.entries(limits).map(([name, most]) => [name, Math.min(wanted[name as keyof Limits] ?? most, most)])
  return Object.fromEntries(entries) as Limits
}

/** What an attempt writes to: the outbox of a hosted attempt in the shape of the store of a job. */
export function outbox(key: HostedKey, hosted: HostedStore) {
  return {
    change: ({ patch, events, at }: Change, options?: { durable?: boolean }) =>
      hosted.append(key, events, at, { ...options, ...(patch.state === undefined ? {} : { state: patch.state }) }),
    async append(
      _: string,
      events: Parameters<HostedStore['append']>[1],
      at: number,
      options?: { durable?: boolean },
    ): Promise<void> {
      await hosted.append(key, events, at, options)
    },
  }
}

/** Logs of hosted attempts, whose offsets count in the log of the whole job at home. */
export function attemptLogs(logs: Logs, key: HostedKey, logOffset: number): Pick<Logs, 'writer'> {
  return {
    async writer(_, options) {
      return shifted(await logs.writer(fileNameOf(key), options), logOffset)
    },
  }
}

function shifted(writer: LogWriter, by: number): LogWriter {
  return {
    get offset() {
      return writer.offset + by
    },
    get dropped() {
      return writer.dropped
    },
    write: bytes => writer.write(bytes),
    flush: async () => (await writer.flush()) + by,
    hash: (from, to) => writer.hash(from - by, to - by),
    close: () => writer.close(),
  }
}
