import { createRandom, type Random } from '../random.ts'

/** What there is to place jobs on, and how much work comes. Times are virtual ms. */
export interface Scenario {
  readonly nodes: number
  /** Share of what all nodes together can do. */
  readonly load: number
  /** Slots a node may have; each as likely. */
  readonly slots: readonly number[]
  readonly jobs: number
  /** Jobs before those that are measured. */
  readonly warmUp: number
  readonly seed: string
}

export interface SimNode {
  readonly index: number
  readonly id: string
  readonly slots: number
  /** Work it does in a ms of one slot. */
  readonly speed: number
  readonly labels: Readonly<Record<string, string>>
}

export interface SimJob {
  readonly number: number
  readonly home: SimNode
  /** ms at speed 1. */
  readonly work: number
  readonly labels: Readonly<Record<string, string>>
}

export interface SimFleet {
  readonly nodes: readonly SimNode[]
  /** Mean time a job takes, whatever slot it gets, ms. */
  readonly serviceMs: number
  /** Mean time between two jobs, ms. */
  readonly betweenMs: number
}

const SPEEDS = [0.5, 1, 2]
/** Mean work of a job, ms at speed 1. */
export const WORK_MS = 60_000
/** Share of what all can do that nodes with the label can do, at least, and of jobs that want it: no label is overrun. */
const LABELLED = 0.3
const WANTING = 0.15
const LABEL = { pool: 'gpu' }

/** An id as nodes have them: base 32 (RFC 4648, lower case), 26 characters. */
const idOf = (index: number): string =>
  [...index.toString(32).padStart(26, '0')].map(digit => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(digit, 32)]).join('')

/** Nodes of mixed sizes, speeds and labels. */
export function makeFleet({ nodes: count, load, slots, seed }: Scenario): SimFleet {
  const random = createRandom(`${seed}/fleet`)
  const machines = Array.from({ length: count }, () => ({ slots: random.pick(slots), speed: random.pick(SPEEDS) }))
  const places = machines.reduce((sum, { slots }) => sum + slots, 0)
  const speed = machines.reduce((sum, machine) => sum + machine.slots * machine.speed, 0)
  let unlabelled = LABELLED * speed
  const nodes = machines.map((machine, index): SimNode => {
    const isLabelled = unlabelled > 0
    if (isLabelled) unlabelled -= machine.slots * machine.speed
    return { ...machine, index, id: idOf(index), labels: isLabelled ? LABEL : {} }
  })
  return { nodes, serviceMs: (WORK_MS * places) / speed, betweenMs: WORK_MS / (load * speed) }
}

/** Jobs as they come, the same for every rule that is compared: at random times, to random homes, of exponential length. */
export function* stream({ nodes, betweenMs }: SimFleet, seed: string): Generator<{ afterMs: number; job: SimJob }> {
  const random: Random = createRandom(`${seed}/jobs`)
  for (let number = 0; ; number++)
    yield {
      afterMs: random.exponential(betweenMs),
      job: {
        number,
        home: random.pick(nodes),
        work: random.exponential(WORK_MS),
        labels: random.chance(WANTING) ? LABEL : {},
      },
    }
}

/** What attempts took on a node before the simulation began, ms. */
export function pastRuns({ speed, id }: SimNode, count: number, seed: string): number[] {
  const random = createRandom(`${seed}/past/${id}`)
  return Array.from({ length: count }, () => random.exponential(WORK_MS) / speed)
}
