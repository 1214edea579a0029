import * as z from 'zod'
import type { Agent } from '#server/agents/index.ts'
import { type Executor, NEVER_LOST, type Sandbox } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import { attemptName, count, type Ledger, type RunningProgram } from './ledger.ts'
import type { Random } from './random.ts'

/** What the task of a simulated job says: how many steps it takes, and how it ends. */
const Work = z.strictObject({
  steps: z.int(),
  stepMs: z.number(),
  /** What it reports at its end, all at once, beside what it reports step by step. */
  lastReports: z.int().default(0),
})

export interface MachineParts {
  readonly node: string
  readonly ledger: Ledger
  readonly random: Random
  readonly clock: Clock
  /** From asking a program to end until it is ended for it, ms. */
  readonly graceMs: number
  readonly trace: (line: string) => void
}

interface SimulatedSandbox extends Sandbox {
  readonly id: string
}

const tell = (parts: MachineParts, what: string, { jobId, epoch, pid }: RunningProgram) =>
  parts.trace(`${parts.node} ${what} ${jobId} ${epoch} pid ${pid}`)

/** Makes sandboxes in which nothing runs but what the simulation says. */
export function simulatedExecutor(parts: MachineParts): Executor {
  const { node, ledger, clock } = parts
  return {
    kind: 'process',
    programs: 'host',
    capacity: async () => null,
    workloads: async () => [],
    probe: async () => ({ available: true, isolation: 'process', version: '1', detail: 'simulated', remedy: null }),
    async prepare({ id }) {
      const sandbox: SimulatedSandbox = {
        id,
        isolation: 'process',
        workDir: '/work',
        relayUrl: null,
        programs: 'host',
        image: null,
        lost: NEVER_LOST,
        async start({ argv }) {
          const wait = new Promise<{ reason: 'exit'; code: number }>(resolve =>
            clock.after(200, () => resolve({ reason: 'exit', code: 0 })),
          )
          return {
            identity: { pid: parts.random.int(2 ** 20), startTime: `${node}:check` },
            stdin: null,
            stdout: output(wait, `checked ${argv.join(' ')} in ${id}\n`) as never,
            stderr: output(wait, '') as never,
            wait: () => wait,
            signal() {},
          }
        },
        stats: async () => ({ cpuMs: 0, memoryBytes: 0, processes: 0, diskBytes: 0 }),
        async signal() {},
        async end() {
          for (const program of programsIn(id)) end(program)
        },
        cleanup: () => sandbox.end(),
      }
      return sandbox
    },
    async reap() {
      const orphans = [...ledger.programs].filter(program => program.node === node && !program.isSupervised)
      for (const program of orphans) end(program)
      return orphans.length
    },
    async close() {},
  }

  function programsIn(sandboxId: string): RunningProgram[] {
    const { jobId, epoch } = parseSandboxId(sandboxId)
    return [...ledger.programs].filter(each => each.node === node && each.jobId === jobId && each.epoch === epoch)
  }
  function end(program: RunningProgram): void {
    if (ledger.programs.delete(program)) tell(parts, 'ends', program)
  }
}

async function* output(end: Promise<unknown>, text: string): AsyncGenerator<Uint8Array> {
  if (text !== '') yield new TextEncoder().encode(text)
  await end
}

function parseSandboxId(id: string): { jobId: string; epoch: number } {
  const [jobId = '', epoch = ''] = id.split('.')
  return { jobId, epoch: Number(epoch) }
}

/** An agent that counts: every line and report is numbered, so that a missing, repeated or misplaced one shows. */
export function countingAgent(parts: MachineParts): Agent {
  const { node, ledger, random, clock, graceMs } = parts

  function sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = clock.after(ms, done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }

  return {
    id: 'counting',
    title: 'Counts',
    kind: 'acp',
    probe: async () => ({
      id: 'counting',
      title: 'Counts',
      kind: 'acp',
      usable: true,
      command: null,
      version: '1',
      detail: 'simulated',
      remedy: null,
    }),
    needs: async () => ({ readOnly: [], env: {}, network: false, model: false }),
    async run(session) {
      const work = Work.parse(JSON.parse(session.task))
      const { jobId, epoch } = parseSandboxId((session.sandbox as SimulatedSandbox).id)
      const name = attemptName(jobId, epoch)
      const report = () => session.report({ type: 'agent.message', text: `${count(ledger.reports, name)}` })
      const program: RunningProgram = {
        node,
        jobId,
        epoch,
        pid: ledger.nextPid++,
        isWorking: false,
        isSupervised: true,
        hasSlept: false,
      }
      ledger.programs.add(program)
      ledger.starts.set(name, [...(ledger.starts.get(name) ?? []), node])
      tell(parts, 'starts', program)
      try {
        await session.started({ pid: program.pid, startTime: `${node}:${program.pid}` }, 'agent')
        program.isWorking = true
        for (let step = 0; step < work.steps && !session.signal.aborted; step++) {
          await sleep(work.stepMs * random.between(0.5, 1.5), session.signal)
          if (session.signal.aborted) break
          await session.log(`@${name} ${count(ledger.lines, name)}.\n`)
          if (step % 2 === 0) await report()
        }
        if (!session.signal.aborted) await Promise.all(Array.from({ length: work.lastReports }, report))
        if (!session.signal.aborted) return { ok: true, exitCode: 0, stopReason: 'done' }
        // It was asked to end and takes its time, at most what it is given.
        await sleep(random.between(0, graceMs), new AbortController().signal)
        return { ok: false, code: 'agent_failed', detail: 'It was told to end.', exitCode: null }
      } finally {
        if (ledger.programs.delete(program)) tell(parts, 'ends', program)
      }
    },
  }
}
