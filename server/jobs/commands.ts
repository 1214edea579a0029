import type { Readable } from 'node:stream'
import type { Exit, Sandbox } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { CheckRun, CommandLine } from '#shared/model/index.ts'
import { WorkFailure } from './failures.ts'
import type { Record_ } from './record.ts'
import { stopKind } from './stop.ts'

export interface CommandContext {
  readonly sandbox: Sandbox
  readonly record: Record_
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly network: boolean
  started(process: { pid: number; startTime: string }, purpose: string): Promise<void>
}

async function drain(stream: Readable, record: Record_): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Uint8Array>) await record.log(chunk)
}

/** Runs one command to its end with its output in the job's log. `null`: it took longer than it may. */
async function runCommand(argv: CommandLine, purpose: string, context: CommandContext): Promise<Exit | null> {
  const { sandbox, record, clock, signal, timeoutMs } = context
  const child = await sandbox.start({ argv, stdin: 'none', network: context.network })
  await context.started(child.identity, purpose)
  let timedOut = false
  const kill = () => child.signal('SIGKILL')
  const cancelTimer = clock.after(timeoutMs, () => {
    timedOut = true
    kill()
  })
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    const [exit] = await Promise.all([child.wait(), drain(child.stdout, record), drain(child.stderr, record)])
    return timedOut ? null : exit
  } finally {
    cancelTimer()
    signal.removeEventListener('abort', kill)
  }
}

/** Runs the job's setup commands. @throws {WorkFailure} `setup_failed` at the first that does not exit 0. */
export async function runSetup(commands: readonly CommandLine[], context: CommandContext): Promise<void> {
  for (const argv of commands) {
    await context.record.note(`setup: ${argv.join(' ')}`)
    const exit = await runCommand(argv, 'setup', context)
    if (exit?.reason === 'exit' && exit.code === 0) continue
    context.signal.throwIfAborted()
    throw new WorkFailure(
      'setup_failed',
      `Setup command ${JSON.stringify(argv)} ${describeExit(exit)}.`,
      'Read the job’s log for its output, mend the command, and submit the job again.',
    )
  }
}

/** Runs every check, red or green, and says where its output stands in the log. */
export async function runChecks(
  checks: readonly CommandLine[],
  phase: 'base' | 'result',
  context: CommandContext,
): Promise<CheckRun[]> {
  const runs: CheckRun[] = []
  for (const [index, argv] of checks.entries()) {
    const run = await runCheck(argv, index, phase, context)
    if (stopKind(context.signal)) context.signal.throwIfAborted()
    runs.push(run)
  }
  return runs
}

async function runCheck(argv: CommandLine, index: number, phase: 'base' | 'result', context: CommandContext): Promise<CheckRun> {
  const { record, clock } = context
  const { epoch, writer } = record
  record.emit({ type: 'check.started', epoch, phase, index, argv })
  await record.note(`check ${index + 1} on the ${phase === 'base' ? 'snapshot' : 'result'}: ${argv.join(' ')}`)
  const from = await writer.flush()
  const before = clock.monotonic()
  const exit = await runCommand(argv, `check-${phase}-${index + 1}`, context)
  const to = await writer.flush()
  const run: CheckRun = {
    exitCode: exit?.reason === 'exit' ? exit.code : null,
    ended: exit === null ? 'timeout' : exit.reason,
    durationMs: Math.max(0, Math.round(clock.monotonic() - before)),
    logOffset: from,
    logBytes: to - from,
    logSha256: await writer.hash(from, to),
  }
  record.emit({ type: 'check.ended', epoch, phase, index, run })
  await record.note(`check ${index + 1} ${describeExit(exit)}`)
  return run
}

/** How a command ended, as the end of a sentence. */
function describeExit(exit: Exit | null): string {
  if (exit === null) return 'took longer than it may'
  switch (exit.reason) {
    case 'exit':
      return `exited with code ${exit.code}`
    case 'signal':
      return `was ended by ${exit.signal}`
    case 'limit':
      return `was ended at its ${exit.limit} limit`
  }
}
