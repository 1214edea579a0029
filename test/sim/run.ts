import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { startThread } from './pool.ts'
import { describeFault } from './schedule.ts'
import { type Outcome, simulate } from './simulate.ts'

/** `npm run sim -- [--seeds N] [--from N] [--trace SEED]`: runs the simulation by many seeds, and tells which broke what. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    trace: { type: 'string' },
  },
})

const PROGRESS_MS = 10_000

async function runSeeds(from: number, count: number): Promise<boolean> {
  const begun = performance.now()
  const sums = { runs: 0, jobs: 0, attempts: 0, messages: 0, faults: 0, hours: 0 }
  const broken: string[] = []
  let next = from
  const progress = setInterval(() => console.log(`${sums.runs} of ${count} runs, ${broken.length} broken`), PROGRESS_MS)

  async function work(): Promise<void> {
    const thread = startThread(null)
    for (let seed = next++; seed < from + count; seed = next++) {
      const answer = await thread.ask({ seed, isShrunk: true })
      sums.runs += 1
      if (answer.kind === 'error') tell(`seed ${seed}: ${answer.message}`)
      else add(answer.outcome)
    }
    await thread.close()
  }
  function tell(what: string): void {
    broken.push(what)
    console.log(what)
  }
  function add(outcome: Outcome): void {
    sums.jobs += outcome.jobs
    sums.attempts += outcome.attempts
    sums.messages += outcome.messages
    sums.faults += outcome.faults.length
    sums.hours += outcome.ms / 3_600_000
    if (outcome.violations.length > 0) tell(describeBroken(outcome))
  }

  await Promise.all(Array.from({ length: Math.min(availableParallelism(), count) }, work))
  clearInterval(progress)
  const seconds = (performance.now() - begun) / 1_000
  console.log(
    `${sums.runs} runs in ${seconds.toFixed(0)} s: ${sums.jobs} jobs, ${sums.attempts} attempts, ${sums.faults} faults, ` +
      `${sums.messages} messages, ${sums.hours.toFixed(0)} virtual hours; ${broken.length} broken`,
  )
  return broken.length === 0
}

function describeBroken({ seed, violations, faults }: Outcome): string {
  return [
    `seed ${seed} broke ${violations.length} promises:`,
    ...violations.map(violation => `  ${violation}`),
    `  by ${faults.length} faults that are needed for it:`,
    ...faults.map(fault => `    ${describeFault(fault)}`),
    `  see it: npm run sim -- --trace ${seed}`,
  ].join('\n')
}

async function trace(seed: number): Promise<boolean> {
  const outcome = await simulate(seed, { onTrace: (at, line) => console.log(`${(at / 1_000).toFixed(4).padStart(10)} ${line}`) })
  console.log(outcome.violations.length > 0 ? describeBroken(outcome) : `seed ${seed} broke nothing: ${outcome.hash}`)
  return outcome.violations.length === 0
}

const isWell =
  values.trace === undefined ? await runSeeds(Number(values.from), Number(values.seeds)) : await trace(Number(values.trace))
process.exitCode = isWell ? 0 : 1
