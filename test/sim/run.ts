import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { PLANTED, type Planted } from './planted.ts'
import { type SimulationThread, startThread } from './pool.ts'
import { writePart } from './report.ts'
import { describeFault } from './schedule.ts'
import { type Outcome, simulate } from './simulate.ts'

/**
 * `npm run sim -- [--seeds N] [--from N]`: runs the simulation by many seeds, and tells which broke what.
 * `--trace SEED`: tells everything that happens in one run.
 * `--faults [--only TEXT]`: plants faults in the sources, one after the other, and tells which the simulation noticed.
 * `--write`: keeps what was measured in docs/simulation.md.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    trace: { type: 'string' },
    faults: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})

const SEEDS = 2_000
/** Runs after which a planted fault counts as not noticed. */
const SEEDS_A_FAULT = 100
/** The share of planted faults that has to be noticed. */
const BAR = 0.95
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
      if (answer.kind !== 'outcome') tell(`seed ${seed}: ${answer.message}`)
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
  const summary =
    `${sums.runs} runs in ${seconds.toFixed(0)} s: ${sums.jobs} jobs, ${sums.attempts} attempts, ${sums.faults} faults, ` +
    `${sums.messages} messages, ${sums.hours.toFixed(0)} virtual hours; ${broken.length} broken`
  console.log(summary)
  if (values.write) writePart('runs', [`Seeds ${from} to ${from + count - 1}: ${summary}.`])
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

async function plantFaults(seeds: number, only: string): Promise<boolean> {
  const begun = performance.now()
  const faults = PLANTED.filter(({ name }) => name.includes(only))
  const missed: string[] = []
  const unfit: string[] = []
  /** Seeds that break a promise of the product as it is. */
  const broken: number[] = []
  const notices = new Map<string, string>()
  let next = 0

  async function work(): Promise<void> {
    const honest = startThread(null)
    for (let fault = faults[next++]; fault; fault = faults[next++]) await tryFault(fault, honest)
    await honest.close()
  }
  /** What breaks without the fault too tells nothing of it. */
  async function isCleanWithout(thread: SimulationThread, seed: number): Promise<boolean> {
    const answer = await thread.ask({ seed, isShrunk: false })
    const isClean = answer.kind === 'outcome' && answer.outcome.violations.length === 0
    if (!isClean) broken.push(seed)
    return isClean
  }
  async function tryFault(planted: Planted, honest: SimulationThread): Promise<void> {
    const thread = startThread(planted)
    let notice: string | null = null
    let seed = 1
    for (; seed <= seeds && notice === null; seed++) {
      const answer = await thread.ask({ seed, isShrunk: false })
      if (answer.kind === 'unfit') {
        unfit.push(`${planted.name}: ${answer.message}`)
        break
      }
      const told = answer.kind === 'error' ? answer.message : (answer.outcome.violations[0] ?? null)
      notice = told !== null && (await isCleanWithout(honest, seed)) ? told : null
    }
    await thread.close()
    if (notice === null) missed.push(planted.name)
    const told = notice === null ? 'NOT NOTICED' : `seed ${seed - 1}: ${notice.split('\n', 1)[0]}`
    notices.set(planted.name, told)
    console.log(`${planted.name}\n    ${told}`)
  }

  await Promise.all(Array.from({ length: availableParallelism() }, work))
  const caught = faults.length - missed.length
  const seconds = ((performance.now() - begun) / 1_000).toFixed(0)
  if (broken.length > 0) console.log(`Broken without a fault, and not counted: seeds ${[...new Set(broken)].join(', ')}`)
  for (const what of unfit) console.log(`DOES NOT FIT: ${what}`)
  const summary = `${caught} of ${faults.length} planted faults noticed in ${seconds} s, each by at most ${seeds} seeds that break nothing without it`
  console.log(summary)
  const rows = faults.map(({ name }) => `| ${name} | ${notices.get(name)?.replaceAll('|', '\\|') ?? ''} |`)
  if (values.write) writePart('faults', [`${summary}.`, '', '| fault | noticed by |', '|---|---|', ...rows])
  return unfit.length === 0 && caught >= BAR * faults.length
}

async function main(): Promise<boolean> {
  if (values.trace !== undefined) return trace(Number(values.trace))
  if (values.faults) return plantFaults(Number(values.seeds ?? SEEDS_A_FAULT), values.only)
  return runSeeds(Number(values.from), Number(values.seeds ?? SEEDS))
}

process.exitCode = (await main()) ? 0 : 1
