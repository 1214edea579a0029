import type { Answer, Handlers } from '#server/lib/call.ts'
import type { JobRow } from '#server/store/index.ts'
import { ApiError, type Operations } from '#shared/contract/index.ts'
import { isEnd, type JobId } from '#shared/model/index.ts'
import type { Admission, Admitted } from './admission.ts'
import { type Artifacts, requireResult } from './artifacts.ts'
import { decodeCursor, decodeSpecCursor, encodeCursor, encodeSpecCursor } from './cursors.ts'
import type { Permissions } from './permissions.ts'
import type { JobDeps } from './ports.ts'
import { presentJob, presentSummary } from './present.ts'
import type { Retention } from './retention.ts'
import { requireRoleFor } from './role.ts'

/** Largest piece of a log read at once. */
const LOG_PIECE = 256 * 1024

/** The operations that jobs answer. */
export type JobHandlers = Pick<
  Handlers,
  | 'ready'
  | 'createJob'
  | 'listJobs'
  | 'listJobSpecs'
  | 'getJob'
  | 'cancelJob'
  | 'retryJob'
  | 'listEvents'
  | 'readLog'
  | 'getResult'
  | 'getDiff'
  | 'listArtifacts'
  | 'getArtifact'
  | 'answerPermission'
  | 'listPlacements'
  | 'listAgents'
  | 'prune'
>

export interface JobServices {
  readonly admission: Admission
  readonly permissions: Permissions
  readonly artifacts: Artifacts
  readonly retention: Retention
  isReady(): boolean
  cancel(job: JobRow): Promise<JobRow>
}

export function createJobHandlers(deps: JobDeps, services: JobServices): JobHandlers {
  const { store, logs, events, workspace, agents, fleet } = deps
  const { admission, permissions, artifacts, retention } = services

  async function find(id: JobId): Promise<JobRow> {
    const job = await store.job(id)
    if (!job) throw new ApiError('not_found', `There is no job ${id} on this node.`, { remedy: '`skein jobs` lists them.' })
    return job
  }
  function requireReady(): void {
    if (!services.isReady())
      throw new ApiError('not_ready', 'The node is starting or stopping and takes no jobs now.', { retryAfterMs: 1000 })
  }
  const accepted = ({ id, state, isNew }: Admitted): Answer<Operations['createJob']> => ({
    status: isNew ? 202 : 200,
    body: { jobId: id, status: state },
  })

  return {
    async ready() {
      requireReady()
      return { status: 200, body: { ready: true } }
    },
    async createJob({ body, headers }, call) {
      requireReady()
      requireRoleFor(body, call)
      return accepted(await admission.create(body, headers['idempotency-key'] ?? null))
    },
    async retryJob({ params, headers }, call) {
      requireReady()
      const job = await find(params.id)
      requireRoleFor(job.spec, call)
      if (!isEnd(job.state))
        throw new ApiError('not_ended', `Job ${job.id} is ${job.state}; only an ended job can be retried.`, {
          remedy: 'Wait for it, or cancel it first.',
        })
      return accepted(await admission.repeat(job, headers['idempotency-key'] ?? null))
    },
    async listJobs({ query }) {
      if (query.repository !== undefined && query.spec === undefined)
        throw new ApiError(
          'invalid_request',
          '`repository` was given without `spec`: jobs are listed by work tree within a feature alone.',
          {
            remedy: 'Name the feature by `spec`, or leave `repository` out.',
          },
        )
      const { rows, next } = await store.jobs({
        before: query.cursor === undefined ? null : decodeCursor(query.cursor),
        limit: query.limit,
        ...(query.state === undefined ? {} : { state: query.state }),
        ...(query.active === undefined ? {} : { active: query.active }),
        ...(query.spec === undefined ? {} : { spec: { feature: query.spec, repository: query.repository ?? null } }),
      })
      return { status: 200, body: { items: rows.map(presentSummary), nextCursor: next === null ? null : encodeCursor(next) } }
    },
    async listJobSpecs({ query: { cursor, limit } }) {
      const rows = await store.jobSpecs(cursor === undefined ? null : decodeSpecCursor(cursor), limit + 1)
      const items = rows.slice(0, limit)
      const last = items.at(-1)
      return { status: 200, body: { items, nextCursor: rows.length > limit && last ? encodeSpecCursor(last) : null } }
    },
    async getJob({ params }) {
      return { status: 200, body: presentJob(await find(params.id)) }
    },
    async cancelJob({ params }) {
      const job = await services.cancel(await find(params.id))
      return { status: 202, body: { jobId: job.id, status: job.state } }
    },
    async listEvents({ params, query, headers }, { signal }) {
      const { id } = await find(params.id)
      const after = headers['last-event-id'] ?? query.after
      return {
        async page() {
          const items = await store.events(id, after, query.limit)
          const last = items.at(-1)
          return { items, nextCursor: last && items.length === query.limit ? String(last.n) : null }
        },
        follow: () => events.follow(id, after, signal),
      }
    },
    async readLog({ params, query }) {
      const { id } = await find(params.id)
      const size = await logs.size(id)
      if (query.offset > size)
        throw new ApiError(
          'offset_out_of_range',
          `The log of job ${id} has ${size} bytes; offset ${query.offset} is past its end.`,
        )
      const end = Math.min(size, query.offset + query.limit)
      return {
        headers: { 'skein-log-size': String(size), 'content-length': String(end - query.offset) },
        body: logPieces(id, query.offset, end),
      }
    },
    async getResult({ params }) {
      return { status: 200, body: requireResult(await find(params.id)) }
    },
    async getDiff({ params }, { signal }) {
      const job = await find(params.id)
      const { commit } = requireResult(job)
      return { body: commit !== null && job.snapshot ? workspace.diff(job.snapshot, commit, signal) : new Uint8Array() }
    },
    async listArtifacts({ params }) {
      return { status: 200, body: { items: await artifacts.list(await find(params.id)) } }
    },
    async getArtifact({ params }) {
      const job = await find(params.id)
      requireResult(job)
      if (params.name === 'log.txt') return { body: logPieces(job.id, 0, await logs.size(job.id)) }
      return { body: await artifacts.open(job, params.name) }
    },
    async answerPermission({ params, body }) {
      await find(params.id)
      const away = await store.away(params.id)
      const link = away && fleet.link(away.worker)
      if (link) await link.answer({ jobId: params.id, epoch: away.epoch }, params.requestId, body.optionId)
      else permissions.answer(params.id, params.requestId, body.optionId)
      return { status: 200, body: { answered: true } }
    },
    async listPlacements({ params }) {
      await find(params.id)
      return { status: 200, body: { items: await store.placements(params.id) } }
    },
    async listAgents() {
      return { status: 200, body: { items: await Promise.all(agents.map(agent => agent.probe())) } }
    },
    async prune({ body }) {
      return { status: 200, body: await retention.prune(body) }
    },
  }

  async function* logPieces(id: JobId, from: number, to: number): AsyncGenerator<Uint8Array> {
    const reader = logs.reader(id)
    try {
      for (let offset = from; offset < to; ) {
        const piece = await reader.read(offset, Math.min(LOG_PIECE, to - offset))
        if (piece.byteLength === 0) return
        offset += piece.byteLength
        yield piece
      }
    } finally {
      await reader.close()
    }
  }
}
