import type { AgentNeeds, AgentOutcome, AgentSession } from '#server/agents/index.ts'
import type { Sandbox } from '#server/executors/index.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import type { ResultCommit } from '#server/workspace/index.ts'
import { type IsolationLevel, NO_USAGE, overlay, type Usage, type UsedImage } from '#shared/model/index.ts'
import { type Attempt, openGateway, reachesHosts } from './attempt-context.ts'
import { runSetup } from './commands.ts'
import { WorkFailure } from './failures.ts'
import { Stop } from './stop.ts'
import { commandContext } from './verification.ts'

export interface AgentRun {
  readonly exitCode: number | null
  readonly usage: Usage
  readonly isolation: IsolationLevel
  readonly image: UsedImage | null
  readonly model: string | null
  /** null when the job has no repository. */
  readonly committed: ResultCommit | null
}

/** Runs the agent in a fresh sandbox and commits what it leaves there. @throws {WorkFailure} {Stop} */
export async function runAgent(attempt: Attempt): Promise<AgentRun> {
  const { job, deps, agent, executor, record, progress, openPlace, signal } = attempt
  await using life = new Lifetime()
  const needs = await agent.needs(executor.programs)
  const model = await chooseModel(attempt, needs)

  const token = deps.newToken()
  let usage = NO_USAGE
  const wayOut = model !== null || needs.network || reachesHosts(attempt)
  // Nobody is given it otherwise, and what all logs are searched for would be put together anew, twice.
  if (wayOut) life.defer(deps.secrets.add(token, 'job token'))
  const gatewaySocket = !wayOut
    ? null
    : await openGateway(
        attempt,
        'agent',
        token,
        use => {
          usage = {
            requests: usage.requests + 1,
            inputTokens: usage.inputTokens + use.inputTokens,
            outputTokens: usage.outputTokens + use.outputTokens,
            durationMs: usage.durationMs + use.durationMs,
          }
          record.emit({ type: 'model.usage', epoch: record.epoch, ...use })
        },
        life,
      )
  const place = life.use(
    await openPlace({
      purpose: 'agent',
      commit: job.snapshot?.commit ?? null,
      readOnly: needs.readOnly,
      env: needs.env,
      gatewaySocket,
    }),
  )
  await runSetup(job.spec.setup, commandContext(attempt, place.sandbox))
  signal.throwIfAborted()
  progress.move('running')
  const outcome = await watch(attempt, signal =>
    agent.run(session(attempt, place.sandbox, model === null ? null : { model, token }, signal)),
  )
  // Nothing may write to the tree any more when it is committed.
  await place.sandbox.end()
  if (!outcome.ok) throw new WorkFailure(outcome.code, outcome.detail)
  await record.note(`agent ended: ${outcome.stopReason}`)
  return {
    exitCode: outcome.exitCode,
    usage,
    isolation: place.sandbox.isolation,
    image: place.sandbox.image,
    model,
    committed: await commit(attempt, place.directory, model),
  }
}

/** The model of the job: the one it names, else the first there is, if the agent wants one at all. */
async function chooseModel({ job, deps, agent, signal }: Attempt, needs: AgentNeeds): Promise<string | null> {
  if (job.spec.model !== undefined) return job.spec.model
  if (!needs.model) return null
  const { models, unreachable } = await deps.models.list(signal)
  const first = models[0]
  if (first) return first.id
  const reasons = unreachable.map(({ provider, reason }) => `${provider}: ${reason}`).join('; ')
  throw new WorkFailure(
    'model_unavailable',
    `Agent ${agent.id} needs a model and no provider offers one${reasons ? ` (${reasons})` : ''}.`,
    'Start Ollama and pull a model (`ollama pull qwen3-coder`), or set OPENAI_BASE_URL and OPENAI_API_KEY.',
  )
}

function session(
  attempt: Attempt,
  sandbox: Sandbox,
  access: { model: string; token: string } | null,
  signal: AbortSignal,
): AgentSession {
  const { job, deps, record, progress, permissions } = attempt
  const policy = job.spec.permissions
  const timeoutMs = job.spec.timeouts.permissionMs ?? deps.settings.timeouts.permissionMs
  return {
    jobId: job.id,
    task: job.spec.task,
    argv: job.spec.argv ?? null,
    sandbox,
    endpoint: access === null ? null : { baseUrl: `${sandbox.relayUrl ?? 'http://gateway'}/v1`, ...access },
    policy,
    signal,
    report(event) {
      record.emit({ ...event, epoch: record.epoch })
      return record.room()
    },
    log: bytes => record.log(bytes),
    started: progress.started,
    async permission(request) {
      const answer = await permissions.ask(request, {
        jobId: job.id,
        epoch: record.epoch,
        policy,
        timeoutMs,
        signal,
        emit: event => record.emit(event),
      })
      record.touch()
      return answer
    },
  }
}

/** Lets an agent run until it ends, its time is over, or it has been silent for too long. @throws {Stop} */
async function watch(attempt: Attempt, run: (signal: AbortSignal) => Promise<AgentOutcome>): Promise<AgentOutcome> {
  const { job, deps, record, signal } = attempt
  const { clock, settings } = deps
  const timeouts = overlay(settings.timeouts, job.spec.timeouts)
  const watchdog = new AbortController()
  const cancelRun = clock.after(timeouts.runMs, () => watchdog.abort(new Stop('run_timeout')))
  let cancelSilence = () => {}
  const listen = (ms: number) => {
    cancelSilence = clock.after(ms, () => {
      const left = timeouts.silenceMs - (clock.monotonic() - record.heard())
      if (left > 0) listen(left)
      else watchdog.abort(new Stop('silence_timeout'))
    })
  }
  record.touch()
  listen(timeouts.silenceMs)
  const either = AbortSignal.any([signal, watchdog.signal])
  try {
    const outcome = await run(either)
    either.throwIfAborted()
    return outcome
  } finally {
    cancelRun()
    cancelSilence()
  }
}

async function commit(attempt: Attempt, directory: string, model: string | null): Promise<ResultCommit | null> {
  const { job, deps, agent, record } = attempt
  if (!job.snapshot) return null
  const committed = await deps.workspace.commitResult({
    snapshot: job.snapshot,
    dir: directory,
    jobId: job.id,
    epoch: job.epoch,
    message: deps.secrets.redact(job.title),
    trailers: {
      'Skein-Job': job.id,
      'Skein-Epoch': String(job.epoch),
      'Skein-Agent': agent.id,
      ...(model === null ? {} : { 'Skein-Model': model }),
    },
    maxBytes: job.spec.limits.diskBytes ?? deps.settings.limits.diskBytes,
  })
  for (const { code, detail } of committed.warnings) record.warn(code, detail)
  if (committed.commit === null) {
    record.warn('no_changes', 'The agent ended without changing anything.')
    return committed
  }
  const leaks = await deps.workspace.findInResult(job.snapshot, committed.commit, deps.secrets.forms())
  if (leaks.length === 0) return committed
  throw new WorkFailure(
    'secret_in_result',
    `The result contains a secret of this node in: ${leaks.slice(0, 10).join(', ')}. It was not kept.`,
    'Find out how the secret came into the sandbox, and change it.',
  )
}
