import { createHash } from 'node:crypto'
import { within } from '#server/lib/within.ts'
import { candidatesOf, place } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type Card, type JobId, type JobSpec, jobTitle, type Snapshot } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'
import type { Space } from './space.ts'

/** Longest wait for the providers' lists of models, ms. */
const MODELS_MS = 5_000
/** Longest wait for the first word of nodes that were just paired, where a job is to be refused without it, ms. */
const FIRST_CARDS_MS = 10_000

/** What a caller gets back: a new job, or the one it already has under its key. */
export interface Admitted {
  readonly id: JobId
  readonly state: JobRow['state']
  readonly isNew: boolean
}

/** The way in for every job. When a promise of it fulfils, the job is on disk. */
export interface Admission {
  /** @throws {ApiError} */
  create(spec: JobSpec, key: string | null): Promise<Admitted>
  /** A new job from the request and the snapshot of an ended one. @throws {ApiError} */
  repeat(ended: JobRow, key: string | null): Promise<Admitted>
  /** Whether this id is being admitted now: its snapshot may exist before its job does. */
  isPending(id: JobId): boolean
}

/** Hash of a request, the same whatever the order of its fields: parsing gave them the schema's order. */
const fingerprint = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex')

export function createAdmission(deps: JobDeps, space: Space): Admission {
  const { store, workspace, clock, settings } = deps
  const pending = new Set<JobId>()

  /** The answer an earlier request with this key got. @throws {ApiError} `idempotency_conflict` */
  async function earlier(key: string | null, bodyHash: string): Promise<Admitted | null> {
    if (key === null) return null
    const found = await store.repeated(key)
    if (!found) return null
    if (found.bodyHash !== bodyHash) throw conflict(key)
    return { id: found.id, state: found.state, isNew: false }
  }

  async function admit(
    spec: JobSpec,
    key: string | null,
    bodyHash: string,
    retryOf: JobId | null,
    capture: (id: JobId) => Promise<Snapshot | null>,
  ): Promise<Admitted> {
    await space.require()
    const id = deps.newJobId()
    pending.add(id)
    try {
      return await admitAs(id, spec, key, bodyHash, retryOf, capture)
    } finally {
      pending.delete(id)
    }
  }

  async function admitAs(
    id: JobId,
    spec: JobSpec,
    key: string | null,
    bodyHash: string,
    retryOf: JobId | null,
    capture: (id: JobId) => Promise<Snapshot | null>,
  ): Promise<Admitted> {
    const { spec: named, repository } = spec
    // What is done again is held to what was asked for at first: the prompt and the snapshot are of then.
    const wording = named && repository && retryOf === null ? await deps.wordingOf(repository.path, named) : null
    const snapshot = await capture(id)
    const at = clock.now()
    const title = jobTitle(spec)
    const job: JobRow = {
      id,
      state: 'queued',
      epoch: 0,
      title,
      priority: spec.priority,
      spec,
      snapshot,
      createdAt: at,
      updatedAt: at,
      startedAt: null,
      endedAt: null,
      queueDeadline: at + (spec.timeouts.queueMs ?? settings.timeouts.queueMs),
      cancelRequested: false,
      retryOf,
      failure: null,
      result: null,
      undelivered: false,
      losses: 0,
    }
    const admission = await store
      .admit({
        job,
        idempotency: key === null ? null : { key, bodyHash },
        wording,
        events: [
          {
            ...{ type: 'job.created', title, agent: spec.agent, priority: spec.priority, snapshot, retryOf },
            ...(spec.spec ? { spec: spec.spec } : {}),
          },
        ],
      })
      .catch(async error => {
        if (snapshot) await workspace.release([id])
        throw error
      })
    // Two requests with one key at the same time: the other one won, so this snapshot belongs to nobody.
    if (admission.outcome !== 'accepted' && snapshot) await workspace.release([id])
    if (admission.outcome === 'conflict') throw conflict(key)
    return { id: admission.id, state: admission.state, isNew: admission.outcome === 'accepted' }
  }

  return {
    isPending: id => pending.has(id),

    async create(request, key) {
      const bodyHash = fingerprint(request)
      const repeated = await earlier(key, bodyHash)
      if (repeated) return repeated
      refuseSecrets(request, deps)
      const agent = await onceHeard(request, deps, async () => {
        await requireSandbox(request, deps)
        return chooseAgent(request, deps)
      })
      const spec = { ...request, agent }
      const { repository } = spec
      return admit(spec, key, bodyHash, null, async id =>
        repository ? capture(deps, () => workspace.snapshot(repository, id)) : null,
      )
    },

    async repeat(ended, key) {
      const bodyHash = fingerprint({ retry: ended.id })
      const repeated = await earlier(key, bodyHash)
      if (repeated) return repeated
      return admit(ended.spec, key, bodyHash, ended.id, async id => {
        const { snapshot } = ended
        if (snapshot) await capture(deps, () => workspace.share(snapshot, id))
        return snapshot
      })
    },
  }
}

function conflict(key: string | null): ApiError {
  return new ApiError('idempotency_conflict', `Idempotency-Key "${key}" was used for another request.`, {
    remedy: 'Use a new key for a new request.',
  })
}

/** A secret of the node in a request would end in the database and in every view of the job. */
function refuseSecrets(spec: JobSpec, { secrets }: JobDeps): void {
  for (const [field, value] of Object.entries(spec)) {
    const name = secrets.find(JSON.stringify(value))
    if (name === null) continue
    throw new ApiError('secret_in_request', `Field "${field}" contains the value of ${name}, a secret of this node.`, {
      remedy: 'Take it out; the node gives models and providers their keys itself.',
      issues: [{ path: `/${field}`, message: `contains the value of ${name}` }],
    })
  }
}

/** Nodes that could run a job of this one, by their cards. */
function others({ where, sandbox }: Pick<JobSpec, 'where' | 'sandbox'>, fleet: JobDeps['fleet']): readonly Card[] {
  // Without a sandbox nothing leaves this node.
  return where.local || sandbox === 'none' ? [] : fleet.cards()
}

/**
 * What is refused for want of a node that can do it is tried again as nodes that were just paired say what they can do.
 * @throws {ApiError} with the names of those that did not say so in time
 */
async function onceHeard<T>(spec: JobSpec, { fleet, clock }: JobDeps, attempt: () => Promise<T>): Promise<T> {
  const unheard = () => (spec.where.local || spec.sandbox === 'none' ? [] : fleet.unheard())
  let wake = () => {}
  let isLate = false
  const call = () => wake()
  const listening = fleet.onChange(call)
  const cancel = clock.after(FIRST_CARDS_MS, () => {
    isLate = true
    wake()
  })
  try {
    for (;;) {
      const changed = new Promise<void>(resolve => {
        wake = resolve
      })
      const silent = unheard()
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof ApiError) || !['agent_missing', 'sandbox_unavailable'].includes(error.code)) throw error
        if (silent.length === 0) throw error
        if (isLate) {
          const detail = `${error.message} ${silent.join(', ')} did not say yet what it can do.`
          throw new ApiError(error.code, detail, { ...error.extras, cause: error })
        }
      }
      await changed
    }
  } finally {
    cancel()
    listening()
  }
}

async function requireSandbox(spec: JobSpec, { executors, settings, fleet }: JobDeps): Promise<void> {
  if (spec.sandbox === 'none' && !settings.allowNoSandbox)
    throw new ApiError('forbidden', 'This node runs nothing without a sandbox (node.allowNoSandbox is false).')
  const probes = await Promise.all(executors.map(async executor => ({ executor: executor.kind, ...(await executor.probe()) })))
  const placement = place(spec, probes)
  if (placement.ok || others(spec, fleet).some(card => place(spec, candidatesOf(card)).ok)) return
  throw new ApiError('sandbox_unavailable', placement.why, { remedy: placement.remedy ?? 'See `skein doctor`.' })
}

/** Finds the agent a job names, or the first usable one for `auto`. @throws {ApiError} `agent_missing` */
async function chooseAgent(spec: JobSpec, { agents, models, fleet, clock }: JobDeps): Promise<string> {
  const elsewhere = others(spec, fleet)
  if (spec.agent !== 'auto') {
    if (elsewhere.some(card => card.agents.includes(spec.agent))) return spec.agent
    const agent = agents.find(({ id }) => id === spec.agent)
    if (!agent)
      throw new ApiError('agent_missing', `This node knows no agent "${spec.agent}".`, {
        remedy: `Choose one of: auto, ${agents.map(({ id }) => id).join(', ')}.`,
      })
    const info = await agent.probe()
    if (!info.usable)
      throw new ApiError(
        'agent_missing',
        `Agent ${agent.id} is not usable: ${info.detail}`,
        info.remedy === null ? {} : { remedy: info.remedy },
      )
    return agent.id
  }
  const listed = await within(clock, MODELS_MS, null, signal => models.list(signal))
  const anyModel = spec.model !== undefined || listed.models.length > 0
  for (const agent of agents) {
    if (agent.kind === 'command' || !(await agent.probe()).usable) continue
    if (anyModel || !(await agent.needs()).model) return agent.id
  }
  const other = elsewhere.find(card => card.models.length > 0)?.agents.find(id => id !== 'command')
  if (other) return other
  throw new ApiError(
    'agent_missing',
    anyModel ? 'No coding agent is usable on this machine.' : 'No agent can work here, because no model was found.',
    {
      remedy: 'Start Ollama with a model, or set OPENAI_BASE_URL and OPENAI_API_KEY; `skein doctor` tells what was looked for.',
    },
  )
}

async function capture<T>({ log }: JobDeps, take: () => Promise<T>): Promise<T> {
  try {
    return await take()
  } catch (error) {
    if (!(error instanceof WorkspaceError)) throw error
    log.warn({ err: error }, 'A snapshot could not be taken')
    throw new ApiError('snapshot_failed', error.message, {
      cause: error,
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    })
  }
}
