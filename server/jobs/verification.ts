import type { Sandbox } from '#server/executors/index.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { type Check, type CheckRun, type CommandLine, checkVerdict, type Failure } from '#shared/model/index.ts'
import { type Attempt, openGateway, reachesHosts } from './attempt-context.ts'
import { type CommandContext, runChecks, runSetup } from './commands.ts'

/** What commands other than the agent need to run in a sandbox of this attempt. */
export function commandContext(attempt: Attempt, sandbox: Sandbox): CommandContext {
  const { job, deps, record, progress, signal } = attempt
  return {
    sandbox,
    record,
    clock: deps.clock,
    signal,
    timeoutMs: job.spec.timeouts.checkMs ?? deps.settings.timeouts.checkMs,
    network: reachesHosts(attempt),
    started: progress.started,
  }
}

/** Runs setup and all checks on one commit, in a sandbox of their own that the agent never saw. */
export async function runChecksOn(attempt: Attempt, phase: 'base' | 'result', commit: string | null): Promise<CheckRun[]> {
  const { job, deps, openPlace } = attempt
  if (job.spec.checks.length === 0) return []
  await using life = new Lifetime()
  // A gateway whose token nobody is told: allowed hosts, no models.
  const gatewaySocket = reachesHosts(attempt) ? await openGateway(attempt, phase, deps.newToken(), () => {}, life) : null
  const { sandbox } = life.use(await openPlace({ purpose: phase, commit, readOnly: [], env: {}, gatewaySocket }))
  const context = commandContext(attempt, sandbox)
  await runSetup(job.spec.setup, context)
  // Awaited here: the sandbox goes when this function ends.
  return await runChecks(job.spec.checks, phase, context)
}

/** Puts the runs before and after side by side. */
export function judge(checks: readonly CommandLine[], base: readonly CheckRun[], after: readonly CheckRun[]): Check[] {
  return checks.flatMap((argv, index) => {
    const [before, result] = [base[index], after[index]]
    return before && result ? [{ argv, verdict: checkVerdict(before, result), base: before, result }] : []
  })
}

/** Why the checks fail the job, or null when all are green. */
export function verdict(checks: readonly Check[]): Failure | null {
  const red = checks.filter(({ result }) => result.exitCode !== 0)
  if (red.length === 0) return null
  const timedOut = red.find(({ result }) => result.ended === 'timeout')
  if (timedOut) {
    return {
      code: 'check_timeout',
      detail: `A check took longer than it may: ${timedOut.argv.join(' ')}`,
      remedy: 'Raise timeouts.checkMs, or make the check faster.',
    }
  }
  const names = red.map(check => `${check.argv.join(' ')} (${check.verdict})`).join('; ')
  return {
    code: 'check_failed',
    detail: `${red.length} of ${checks.length} checks are red on the result: ${names}`,
    remedy: 'Read the log and the diff; retry, or submit a job with a clearer task.',
  }
}
