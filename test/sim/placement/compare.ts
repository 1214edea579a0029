import { createRandom } from '../random.ts'
import { createTimeline, run } from '../timeline.ts'
import { makeFleet, type Scenario, stream, WORK_MS } from './fleet.ts'
import type { MakeRule } from './rule.ts'

/** What a rule did to the jobs of a scenario. Waits are in mean service times, from the job's arrival to its slot. */
export interface Measured {
  readonly jobs: number
  readonly meanWait: number
  readonly p99Wait: number
  /** From arrival to end, in mean service times. */
  readonly meanTime: number
  /** Requests a placement, each with its answer. */
  readonly messages: number
  /** The most of them in one round. */
  readonly mostMessages: number
  /** Share of jobs placed in their first round. */
  readonly inOneRound: number
}

/** Runs a scenario under a rule. The same seed gives the same jobs to every rule, and the same figures each time. */
export async function measure(make: MakeRule, scenario: Scenario): Promise<Measured> {
  const { seed, warmUp, jobs } = scenario
  const timeline = createTimeline()
  const fleet = makeFleet(scenario)
  const rule = make({ timeline, fleet, seed, random: createRandom(`${seed}/rule`) })
  const waits: number[] = []
  const sum = { messages: 0, most: 0, first: 0, run: 0 }
  // As it would be after a while: what is left of exponential work is exponential.
  const busy = createRandom(`${seed}/busy`)
  for (const node of fleet.nodes)
    for (let slot = 0; slot < node.slots; slot++) if (busy.chance(scenario.load)) rule.occupy(node, busy.exponential(WORK_MS))
  const arrivals = stream(fleet, seed)
  let hasAllStarted = false

  function next(): void {
    const { value } = arrivals.next()
    if (!value || value.job.number >= warmUp + jobs) return
    const { afterMs, job } = value
    timeline.after(afterMs, () => {
      const arrivedAt = timeline.now()
      rule.place(job, ({ messages, mostMessages, rounds }, { speed }) => {
        if (job.number < warmUp) return
        waits.push((timeline.now() - arrivedAt) / fleet.serviceMs)
        sum.run += job.work / speed / fleet.serviceMs
        sum.messages += messages
        sum.most = Math.max(sum.most, mostMessages)
        sum.first += rounds === 1 ? 1 : 0
        hasAllStarted = waits.length === jobs
      })
      next()
    })
  }
  next()
  await run(timeline, Number.POSITIVE_INFINITY, () => hasAllStarted)
  waits.sort((a, b) => a - b)
  const meanWait = waits.reduce((total, wait) => total + wait, 0) / jobs
  return {
    jobs,
    meanWait,
    p99Wait: waits[Math.ceil(0.99 * jobs) - 1] ?? 0,
    meanTime: meanWait + sum.run / jobs,
    messages: sum.messages / jobs,
    mostMessages: sum.most,
    inOneRound: sum.first / jobs,
  }
}
