import { type PolicyFacts, policy, type Verdict } from '#server/placement/index.ts'
import type { IsolationLevel, LocalTime, NodeId } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'

/** What is asked for a job of another node. */
type Wanted = Readonly<{ executor: string; isolation?: IsolationLevel | undefined; labels: Readonly<Record<string, string>> }>

/** Where jobs of other nodes are let in or turned away. */
export interface Door {
  /** Looks at what takes time to look at: power, sandboxes and the disk. */
  look(): Promise<Pick<PolicyFacts, 'power' | 'executors' | 'missingBytes'>>
  /** Decides at once, on what was seen and on what is true now, so that two who ask together are not both let into one place. */
  judge(home: NodeId, wanted: Wanted, seen: Awaited<ReturnType<Door['look']>>): Verdict
}

export function createDoor(
  { clock, executors, fleet, node, settings }: Pick<JobDeps, 'clock' | 'executors' | 'fleet' | 'node' | 'settings'>,
  parts: { isReady(): boolean; isDraining(): boolean; hosted(): number; missingBytes(): Promise<number> },
): Door {
  return {
    async look() {
      const [power, probes, missingBytes] = await Promise.all([
        node.power(),
        Promise.all(executors.map(async executor => ({ kind: executor.kind, ...(await executor.probe()) }))),
        parts.missingBytes(),
      ])
      return { power, executors: probes, missingBytes }
    },
    judge(home, { executor, isolation, labels }, seen) {
      const request = { home: fleet.who(home), isTrusted: fleet.accepts(home), executor, isolation, labels }
      const facts = {
        ...seen,
        isReady: parts.isReady(),
        isDraining: parts.isDraining(),
        now: localTime(clock.now()),
        load: node.loadPerCore(),
        hosted: parts.hosted(),
      }
      return policy(settings.accept, request, facts)
    },
  }
}

/** @param at ms since 1970 */
function localTime(at: number): LocalTime {
  const date = new Date(at)
  return { day: (date.getDay() + 6) % 7, minute: date.getHours() * 60 + date.getMinutes() }
}
