import { join } from 'node:path'
import { type Executor, SandboxError } from '#server/executors/index.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { place } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import { type AttemptEnd, type DiffStat, type IsolationLevel, type Limits, overlay, type Result } from '#shared/model/index.ts'
import { runAgent } from './agent-run.ts'
import type { Attempt } from './attempt-context.ts'
import { failureOf, WorkFailure } from './failures.ts'
import type { Permissions } from './permissions.ts'
import { createPlaces } from './places.ts'
import type { AttemptDeps } from './ports.ts'
import type { Progress } from './progress.ts'
import { createRecord, type Record_ } from './record.ts'
import { Stop, stopKind } from './stop.ts'
import { judge, runChecksOn, verdict } from './verification.ts'

const NO_CHANGE: DiffStat = { files: 0, insertions: 0, deletions: 0, changes: [] }

/** The directory of one attempt; recovery finds it by the job's id at its start. */
function attemptDirectory(attempts: string, job: Pick<JobRow, 'id' | 'epoch'>): string {
  return join(attempts, `${job.id}.${job.epoch}`)
}

/**
 * Runs one attempt of a job in state `placing` to its end: place, prepare, run the agent, check. Moves the job along as it
 * goes, but leaves the last step to the caller (`conclude`), who alone accepts results. Never throws. When it fulfils no program
 * of the attempt runs any more.
 *
 * @param leftovers takes what is still to be removed then.
 */
export async function runAttempt(
  progress: Progress,
  deps: AttemptDeps,
  permissions: Permissions,
  signal: AbortSignal,
  leftovers: Lifetime,
): Promise<AttemptEnd> {
  const claimed = progress.job
  // Aborts when a sandbox of this attempt is gone by no doing of ours.
  const lost = new AbortController()
  try {
    await using life = new Lifetime()
    const writer = await deps.logs.writer(claimed.id, {
      maxBytes: limitsOf(claimed, deps).logBytes,
      redact: deps.secrets.stream(),
    })
    // What is in it counts once it is flushed, which a result has waited for.
    life.defer(() =>
      writer.close().catch(error => deps.log.error({ err: error, jobId: claimed.id }, 'Failed to close the log of a job')),
    )
    const record = createRecord({ jobId: claimed.id, epoch: claimed.epoch, writer, progress, ...deps })
    life.defer(() => record.finish())
    try {
      return await work(progress, deps, permissions, record, AbortSignal.any([signal, lost.signal]), leftovers, reason =>
        lost.abort(reason),
      )
    } catch (error) {
      const end = endOf(error, signal, lost.signal)
      const words = inWords(end)
      if (words !== null) await record.note(words).catch(() => {})
      if (end.kind === 'failed' && end.failure.code === 'internal')
        deps.log.error({ err: error, jobId: claimed.id, epoch: claimed.epoch }, 'The attempt failed inside the server')
      return end
    }
  } catch (error) {
    return endOf(error, signal, lost.signal)
  } finally {
    permissions.forget(claimed.id)
  }
}

/**
 * What an exception means for an attempt. That its sandbox was taken away says nothing of the work, which is done anew; and where there
 * was no place for it now, it is given back without counting as lost.
 * @param lost aborted when a sandbox of the attempt is gone
 */
export function endOf(error: unknown, signal: AbortSignal, lost?: AbortSignal): AttemptEnd {
  const stop = error instanceof Stop ? error.kind : stopKind(signal)
  if (stop === 'evict') return { kind: 'lost', reason: 'A person had it give its place free.' }
  if (stop) return { kind: 'stopped', stop }
  const reason = lost?.aborted ? (lost.reason as unknown) : error
  const text = reason instanceof Error ? reason.message : String(reason)
  const code = reason instanceof SandboxError ? reason.code : null
  if (lost?.aborted || code === 'lost') return { kind: 'lost', reason: `Its sandbox is gone: ${text}` }
  if (code === 'unschedulable') return { kind: 'stopped', stop: 'shutdown', handedBack: true, reason: text.slice(0, 2000) }
  return { kind: 'failed', failure: failureOf(error) }
}

/** A line for the log; null for an end that others tell of. */
function inWords(end: AttemptEnd): string | null {
  if (end.kind === 'failed') return `failed: ${end.failure.detail}`
  if (end.kind === 'lost') return `lost: ${end.reason}`
  return end.kind === 'stopped' && end.reason !== undefined ? `given back: ${end.reason}` : null
}

function limitsOf(job: JobRow, { settings }: AttemptDeps): Limits {
  return overlay(settings.limits, job.spec.limits)
}

async function work(
  progress: Progress,
  deps: AttemptDeps,
  permissions: Permissions,
  record: Record_,
  signal: AbortSignal,
  leftovers: Lifetime,
  lost: (reason: unknown) => void,
): Promise<AttemptEnd> {
  const claimed = progress.job
  const { executor, isolation, why } = await choose(claimed, deps)
  const agent = deps.agents.find(({ id }) => id === claimed.spec.agent)
  if (!agent)
    throw new WorkFailure(
      'agent_missing',
      `This node knows no agent "${claimed.spec.agent}".`,
      '`skein agents` lists those it knows.',
    )
  const info = await agent.probe()
  if (!info.usable) throw new WorkFailure('agent_missing', info.detail, info.remedy ?? undefined)

  const root = attemptDirectory(deps.directories.attempts, claimed)
  await deps.files.makeDirectory(root)
  leftovers.defer(() => deps.files.remove(root))
  const limits = limitsOf(claimed, deps)
  const openPlace = createPlaces({
    ...{ job: claimed, root, executor, limits, signal, lost, leftovers, ...deps },
    note: line => void record.note(line).catch(() => {}),
    image: image => record.emit({ type: 'attempt.image', epoch: claimed.epoch, image }),
  })
  const attempt: Attempt = { job: claimed, progress, deps, record, agent, executor, openPlace, permissions, signal }

  const times = { placed: deps.clock.monotonic(), prepared: 0, ran: 0 }
  const model = claimed.spec.model ?? null
  signal.throwIfAborted()
  progress.move('preparing', [
    {
      type: 'attempt.started',
      epoch: claimed.epoch,
      executor: executor.kind,
      isolation,
      agent: agent.id,
      agentVersion: info.version,
      model,
      why,
      limits,
    },
  ])
  await record.note(`attempt ${claimed.epoch}: agent ${agent.id}${info.version ? ` ${info.version}` : ''}, sandbox ${isolation}`)
  const base = await runChecksOn(attempt, 'base', claimed.snapshot?.commit ?? null)
  times.prepared = deps.clock.monotonic()

  const ran = await runAgent(attempt)
  times.ran = deps.clock.monotonic()
  const { commit, diffStat } = ran.committed ?? { commit: null, diffStat: NO_CHANGE }

  signal.throwIfAborted()
  progress.move('checking', [{ type: 'result.committed', epoch: claimed.epoch, commit, diffStat }])
  const after = commit === null ? base : await runChecksOn(attempt, 'result', commit)
  const checks = judge(claimed.spec.checks, base, after)
  const logBytes = await record.writer.flush()
  if (record.writer.dropped > 0)
    record.warn('log_limit', `The log reached its limit (limits.logBytes); ${record.writer.dropped} bytes were dropped.`)
  record.finish()
  const result: Result = {
    epoch: claimed.epoch,
    snapshot: claimed.snapshot?.commit ?? null,
    commit,
    ref: null,
    diffStat,
    checks,
    exitCode: ran.exitCode,
    usage: ran.usage,
    durations: {
      queueMs: Math.max(0, (claimed.startedAt ?? claimed.createdAt) - claimed.createdAt),
      prepareMs: Math.round(times.prepared - times.placed),
      runMs: Math.round(times.ran - times.prepared),
      checkMs: Math.round(deps.clock.monotonic() - times.ran),
    },
    executor: executor.kind,
    isolation: ran.isolation,
    ...(ran.image === null ? {} : { image: ran.image }),
    agent: { id: agent.id, version: info.version },
    model: ran.model,
    logBytes,
    warnings: [...record.warnings],
  }
  return { kind: 'result', result, failure: verdict(checks) }
}

async function choose(
  job: JobRow,
  { executors }: AttemptDeps,
): Promise<{ executor: Executor; isolation: IsolationLevel; why: string }> {
  const probes = await Promise.all(executors.map(async executor => ({ executor: executor.kind, ...(await executor.probe()) })))
  const placement = place(job.spec, probes)
  const executor = placement.ok ? executors.find(({ kind }) => kind === placement.executor) : undefined
  if (!placement.ok) throw new WorkFailure('sandbox_unavailable', placement.why, placement.remedy ?? undefined)
  if (!executor) throw new Error(`Placement chose executor ${placement.executor}, which is not there`)
  return { executor, isolation: placement.isolation, why: placement.why }
}
