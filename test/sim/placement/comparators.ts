import type { Timeline } from '../timeline.ts'
import { type SimJob, type SimNode, WORK_MS } from './fleet.ts'
import { delay, type MakeRule, type Rule, type World } from './rule.ts'

/** A node with a queue without end: whoever is sent here waits, whatever it was told. */
interface Machine {
  readonly node: SimNode
  enqueue(job: Pick<SimJob, 'work'>, started: () => void): void
  /** Jobs that run or wait. */
  size(): number
  /** When a slot is free for the next job, ms from now; `true` to the ends of all jobs, or as its node could guess. */
  startIn(isOmniscient: boolean): number
}

function createMachine(timeline: Timeline, node: SimNode): Machine {
  const ends: number[] = []
  const queue: { job: Pick<SimJob, 'work'>; started: () => void }[] = []

  function start({ job, started }: { job: Pick<SimJob, 'work'>; started: () => void }): void {
    const end = timeline.now() + job.work / node.speed
    ends.push(end)
    started()
    timeline.after(job.work / node.speed, () => {
      ends.splice(ends.indexOf(end), 1)
      const next = queue.shift()
      if (next) start(next)
    })
  }

  return {
    node,
    enqueue(job, started) {
      if (ends.length < node.slots) start({ job, started })
      else queue.push({ job, started })
    },
    size: () => ends.length + queue.length,
    startIn(isOmniscient) {
      if (ends.length < node.slots) return 0
      // Work is exponential, so what has passed of it says nothing: a slot is free each so often.
      if (!isOmniscient) return ((queue.length + 1) * WORK_MS) / (node.slots * node.speed)
      const free = [...ends]
      for (const { job } of queue) {
        const first = free.indexOf(Math.min(...free))
        free[first] = (free[first] ?? 0) + job.work / node.speed
      }
      return Math.min(...free) - timeline.now()
    },
  }
}

/** The one with the least cost; among equals, any. */
function least<T>(list: readonly T[], cost: (item: T) => number, random: () => number): T {
  let found: T | undefined
  let lowest = Number.POSITIVE_INFINITY
  let equals = 0
  for (const item of list) {
    const value = cost(item)
    if (value > lowest) continue
    equals = value < lowest ? 1 : equals + 1
    lowest = value
    if (random() * equals < 1) found = item
  }
  if (found === undefined) throw new Error('There is nobody to choose')
  return found
}

/**
 * Machines of a fleet, and a rule that sends each job to one of them.
 * @param isAtOnce whoever looks next sees what was sent before
 */
function sending({ timeline, fleet, random }: World, messages: (able: number) => number, isAtOnce = false) {
  const machines = fleet.nodes.map(node => createMachine(timeline, node))
  const labelled = machines.filter(({ node }) => Object.keys(node.labels).length > 0)
  const able = (job: SimJob) => (Object.keys(job.labels).length > 0 ? labelled : machines)
  const rule = (choose: (job: SimJob, able: readonly Machine[]) => Machine): Rule => ({
    occupy: (node, work) => machines[node.index]?.enqueue({ work }, () => {}),
    place(job, started) {
      const choices = able(job)
      const chosen = choose(job, choices)
      const sent = chosen.node === job.home ? 0 : messages(choices.length)
      const cost = { messages: sent, mostMessages: sent, rounds: 1 }
      if (sent === 0 || isAtOnce) chosen.enqueue(job, () => started(cost, chosen.node))
      else timeline.after(delay(random), () => chosen.enqueue(job, () => started(cost, chosen.node)))
    },
  })
  return { machines, rule }
}

/** To any node that can. */
export const random: MakeRule = world => {
  const draw = world.random.fork('random')
  return sending(world, () => 1).rule((_, able) => draw.pick(able))
}

/** Snapshots of the load on all nodes, of which one is shown when it is a service time old. */
const SNAPSHOTS = 8

/** To the node with the least load by its card, which is one mean service time old. */
export const leastLoadedByCards: MakeRule = world => {
  const { timeline, fleet } = world
  const draw = world.random.fork('cards')
  const { machines, rule } = sending(world, () => 1)
  const history: Float64Array[] = []
  const look = () => {
    history.push(Float64Array.from(machines, machine => machine.size() / machine.node.slots))
    if (history.length > SNAPSHOTS + 1) history.shift()
    timeline.after(fleet.serviceMs / SNAPSHOTS, look)
  }
  look()
  return rule((_, able) => least(able, ({ node }) => history[0]?.[node.index] ?? 0, draw.next))
}

/** Prefers an early start, and among those the fastest node. */
const earliest = (isOmniscient: boolean, draw: () => number) => (_: SimJob, able: readonly Machine[]) => {
  const idle = able.filter(machine => machine.size() < machine.node.slots)
  if (idle.length > 0) return least(idle, ({ node }) => -node.speed, draw)
  return least(able, machine => 1e3 * machine.startIn(isOmniscient) + 1 / machine.node.speed, draw)
}

/** Asks every node that can, each job anew: all answer truly and at once, and nothing is promised twice. */
export const broadcast: MakeRule = world => {
  const draw = world.random.fork('broadcast')
  // All others are asked, one gets the work, the rest are released.
  return sending(world, able => 2 * (able - 1), true).rule(earliest(false, draw.next))
}

/** Knows when every job will end, everywhere, and asks nobody. */
export const omniscient: MakeRule = world => {
  const draw = world.random.fork('omniscient')
  return sending(world, () => 1, true).rule(earliest(true, draw.next))
}
