import { createHash } from 'node:crypto'
import type { Logs, LogWriter } from '#server/logs/index.ts'
import type { Change, HostedKey, HostedStore, JobRow } from '#server/store/index.ts'
import type { Award, EventBody, JobSpec, Limits, NodeId } from '#shared/model/index.ts'
import type { HomeOutflow } from './outflow.ts'

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
export function outbox(key: HostedKey, hosted: HostedStore, outflow: HomeOutflow) {
  const count = (events: readonly EventBody[]) => {
    if (events.length > 0) outflow.told(events.length, JSON.stringify(events).length)
  }
  return {
    change({ patch, events, at }: Change, options?: { durable?: boolean }) {
      count(events)
      return hosted.append(key, events, at, { ...options, ...(patch.state === undefined ? {} : { state: patch.state }) })
    },
    async append(
      _: string,
      events: Parameters<HostedStore['append']>[1],
      at: number,
      options?: { durable?: boolean },
    ): Promise<void> {
      count(events)
      await hosted.append(key, events, at, options)
    },
  }
}

/** Logs of hosted attempts, whose offsets count in the log of the whole job at home. */
export function attemptLogs(logs: Logs, key: HostedKey, logOffset: number, outflow: HomeOutflow): Pick<Logs, 'writer'> {
  return {
    async writer(_, options) {
      return shifted(await logs.writer(fileNameOf(key), options), logOffset, outflow)
    },
  }
}

function shifted(writer: LogWriter, by: number, outflow: HomeOutflow): LogWriter {
  const accepted = () => writer.offset
  return {
    get offset() {
      return writer.offset + by
    },
    get written() {
      return writer.written + by
    },
    get dropped() {
      return writer.dropped
    },
    write(bytes) {
      outflow.logged(bytes.byteLength, accepted)
      return writer.write(bytes)
    },
    flush: async () => (await writer.flush()) + by,
    hash: (from, to) => writer.hash(from - by, to - by),
    close: () => writer.close(),
  }
}
