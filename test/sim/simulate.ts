import { createHash } from 'node:crypto'
import { FIRST_LEASE_MS } from '#server/jobs/lease.ts'
import { isEnd } from '#shared/model/index.ts'
import { playFaults } from './faults.ts'
import { createInvariants } from './invariants.ts'
import { createLedger } from './ledger.ts'
import { createNetwork } from './network.ts'
import { BID_MS, createNode, type MachineSpec, type SimulatedNode } from './node.ts'
import { createDrillWishes, createWishes, playWishes } from './people.ts'
import { createRandom, type Random } from './random.ts'
import { createDrill, createSchedule, type Drill, type Fault, isMild } from './schedule.ts'
import { createTimeline, run } from './timeline.ts'
import { createWire } from './wire.ts'

export interface Outcome {
  readonly seed: number
  /** SHA-256 of everything that happened, hex. */
  readonly hash: string
  /** What was broken, first things first; none is how it should be. */
  readonly violations: readonly string[]
  readonly faults: readonly Fault[]
  readonly steps: number
  readonly jobs: number
  readonly attempts: number
  readonly messages: number
  /** Virtual ms. */
  readonly ms: number
}

export interface Options {
  /** What goes wrong, instead of what the seed says. */
  readonly faults?: readonly Fault[]
  /** Told every line of the trace. */
  readonly onTrace?: (at: number, line: string) => void
}

/** How long people ask and things go wrong, ms. */
const SPAN_MS = 4 * 60_000
/** How long everything may then take to come to an end, ms. */
const RECOVERY_MS = 60 * 60_000

/** One run: some nodes, some jobs, some faults, all by one seed. */
export async function simulate(seed: number, options: Options = {}): Promise<Outcome> {
  const random = createRandom(`${seed}`)
  const trace = createTrace(options.onTrace)
  const timeline = createTimeline()
  const tell = (line: string) => trace.add(timeline.now(), line)
  const names = ['a', 'b', 'c', 'd'].slice(0, 2 + random.int(3))
  const usualLeaseMs = random.pick([20_000, 20_000, 30_000, 60_000])
  const drill = drillOf(seed, random.fork('drill'))
  // A shorter one ends while the answer of an award is waited for.
  const leaseMs = drill === 'lost-answers' ? Math.max(usualLeaseMs, FIRST_LEASE_MS) : usualLeaseMs
  const specs = createMachines(names)
  const faults = options.faults ?? createFaults()
  const network = createNetwork(timeline, random.fork('network'))
  const wire = createWire({ timeline, network, trace: tell })
  const ledger = createLedger()
  const nodes: SimulatedNode[] = []
  for (const spec of specs) nodes.push(createNode(spec, { timeline, random, ledger, wire, trace: tell, leaseMs }, () => nodes))
  const isCalm = isMild(faults) && specs.every(({ lies }) => !lies)
  const invariants = createInvariants(nodes, ledger, isCalm)

  /** A drill has the field to itself half of the time. */
  function createFaults(): Fault[] {
    const span = { ms: SPAN_MS, leaseMs }
    const others = () => createSchedule(random.fork('faults'), names, span)
    if (!drill) return others()
    const own = createDrill(random.fork('drill faults'), drill, span)
    return drill === 'lost-answers' || random.fork('alone').chance(0.5) ? own : [...own, ...others()]
  }

  function createMachines(all: readonly string[]): MachineSpec[] {
    const liar = random.chance(0.15) ? random.pick(all) : null
    return all.map(name => ({
      name,
      slots: 1 + random.int(3),
      waiting: random.int(3),
      clock: { rate: random.between(0.997, 1.003), offset: Math.floor(random.between(-1, 1) * 600_000) },
      lies: name === liar,
    }))
  }

  let steps = 0
  let violation: string | null = null
  const check = () => {
    steps += 1
    violation = invariants.step()
    return violation !== null
  }
  const isOver = () =>
    wishes.every(({ key }) => [...ledger.accepted.values()].some(accepted => accepted.key === key)) &&
    nodes.every(
      node =>
        node.server()?.isReady() &&
        !node.server()?.process.isPaused() &&
        [...node.tables.jobs.values()].every(({ row, log }) => isEnd(row.state) && log),
    )

  for (const node of nodes) node.start()
  const drillWishes = drill ? createDrillWishes(random.fork('drill wishes'), drill, names, SPAN_MS) : []
  const wishes = [...createWishes(random.fork('wishes'), names, SPAN_MS), ...drillWishes]
  playWishes({ timeline, nodes, wishes, ledger, trace: tell })
  playFaults({ timeline, network, wire, nodes, faults, until: SPAN_MS, trace: tell })
  await run(timeline, SPAN_MS, check)
  if (violation === null) {
    tell('the weather is fair again')
    network.calm()
    for (const node of nodes) node.recover()
    await run(timeline, SPAN_MS + RECOVERY_MS, () => check() || isOver())
  }
  // Long enough for every lease and every bid to end, and for whoever was asleep.
  if (violation === null) await run(timeline, timeline.now() + 4 * leaseMs + 2 * BID_MS + 30_000, check)
  const violations = violation === null ? invariants.end() : [violation]
  for (const line of violations) tell(`broken: ${line}`)
  return {
    seed,
    hash: trace.hash(),
    violations,
    faults,
    steps,
    jobs: ledger.accepted.size,
    attempts: ledger.starts.size,
    messages: network.sent(),
    ms: timeline.now(),
  }
}

/** Every other run has one. */
const drillOf = (seed: number, random: Random): Drill | null =>
  seed % 2 === 0 ? null : random.pick(['lost-answers', 'long-partitions', 'long-partitions', 'much-to-tell'])

function createTrace(onTrace: Options['onTrace']) {
  const hash = createHash('sha256')
  let lines: string[] = []
  const flush = () => {
    hash.update(lines.join('\n'))
    lines = []
  }
  return {
    add(at: number, line: string) {
      onTrace?.(at, line)
      lines.push(`${at} ${line}`)
      if (lines.length >= 256) flush()
    },
    hash() {
      flush()
      return hash.digest('hex')
    },
  }
}
