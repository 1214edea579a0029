import type { DrainStatus, Job, Limits, PlacementRecord, Workload } from '#shared/model/index.ts'
import { bytes, duration, times } from '../kit/format.ts'
import type { Story } from './story.ts'

/** What is asked for beside the events of a job, now and then. */
export interface Place {
  /** ms since 1970. */
  readonly at: number
  /** Sandboxes of the job, here or on the node that runs it. */
  readonly workloads: readonly Workload[]
  /** Executors that could not say what they run, and why. */
  readonly unreachable: readonly { readonly executor: string; readonly reason: string }[]
  /** Why the other node that runs it could not say what it takes there; null where it did, or there is none. */
  readonly silent: string | null
  /** null where the job waits for nothing of this node. */
  readonly drain: DrainStatus | null
}

export type Fact = readonly [name: string, text: string]

/** Where an attempt is, how it is kept in, and what it may use. Texts are as others wrote them. @param self name of this node */
export function factsOf(story: Story, spec: Job['spec'] | null, place: Place | null, self: string): Fact[] {
  const now = place?.workloads.at(-1)
  const { executor, isolation, node } = story
  const used = now?.image ? { name: now.image, digest: now.imageDigest } : (story.image ?? story.result?.image ?? null)
  const image = used?.name ?? spec?.image ?? null
  const limits = limitsText(story.limits ?? spec?.limits ?? {})
  const asked = spec?.isolation === undefined ? '' : `, at least ${spec.isolation} was asked for`
  const facts: (readonly [string, string | null])[] = [
    ['Node', executor === null ? null : (node ?? self)],
    ['Machine', now?.machine ?? null],
    ['Executor', executor ?? (spec === null ? null : `not chosen yet; ${spec.executor} was asked for`)],
    ['Isolation', isolation === null ? null : `${isolation}${asked}`],
    ['Image', image === null ? null : `${image}${used?.digest ? ` (${used.digest})` : ''}`],
    ['GPUs', spec?.gpus === undefined ? null : String(spec.gpus)],
    ['Limits', limits === '' ? null : `${limits}${story.limits ? '' : '; else as its node is set'}`],
  ]
  return facts.flatMap(([name, text]) => (text === null ? [] : [[name, text] as const]))
}

function limitsText(limits: { readonly [K in keyof Limits]?: Limits[K] | undefined }): string {
  const { memoryBytes, cpuSeconds, processes, fileBytes, diskBytes, logBytes } = limits
  const parts = [
    memoryBytes === undefined ? null : `${bytes(memoryBytes)} of memory`,
    cpuSeconds === undefined ? null : `${duration(cpuSeconds * 1000)} of processor time a process`,
    processes === undefined ? null : times(processes, 'process', 'processes'),
    diskBytes === undefined ? null : `${bytes(diskBytes)} of disk`,
    fileBytes === undefined ? null : `${bytes(fileBytes)} a file`,
    logBytes === undefined ? null : `${bytes(logBytes)} of log`,
  ]
  return parts.filter(part => part !== null).join(', ')
}

/** What a sandbox takes now. @param before the same a while ago: processors are counted between the two */
export function useOf(workload: Workload, at: number, before: Place | null): string {
  const { id, purpose, state, reason, cpuMs, memoryBytes, memoryLimitBytes } = workload
  const last = before?.workloads.find(one => one.id === id)?.cpuMs ?? null
  const cores = cpuMs === null || last === null || before === null || at <= before.at ? null : (cpuMs - last) / (at - before.at)
  const parts = [
    reason === null ? state : `${state}: ${reason}`,
    cores === null ? null : `${Math.max(0, cores).toFixed(1)} cores busy`,
    cpuMs === null ? null : `${duration(cpuMs)} of processor time`,
    memoryBytes === null
      ? null
      : `${bytes(memoryBytes)}${memoryLimitBytes === null ? '' : ` of ${bytes(memoryLimitBytes)}`} of memory`,
  ]
  return `${purpose === null ? '' : `${purpose}, `}${parts.filter(part => part !== null).join(', ')}`
}

/** Why a job does not run yet, in words; nothing once it runs. */
export function waitsFor(story: Story, placements: readonly PlacementRecord[], place: Place | null): string[] {
  const pending = place?.workloads.filter(({ state }) => state === 'pending') ?? []
  if (story.state === 'preparing')
    return pending.map(({ reason }) => `Its sandbox is being made: ${reason ?? 'nothing more is known'}.`.replace(/\.\.$/, '.'))
  if (story.state !== 'queued' && story.state !== 'placing') return []
  const last = placements.findLast(({ awarded }) => awarded === null && placements.at(-1)?.awarded === null)
  return [
    ...(story.setback === null ? [] : [story.setback]),
    ...(last ? refusalsOf(last) : []),
    ...(place?.drain?.draining ? ['This node is draining: it takes no more attempts.'] : []),
    ...(place?.drain && !place.drain.draining && !last
      ? [
          `It waits for a place: ${times(place.drain.running.length, 'attempt')} here now, ${times(place.drain.queued, 'job')} waiting.`,
        ]
      : []),
  ]
}

/** Most nodes that are named. */
const MOST_NAMED = 10

function refusalsOf({ asked, filtered, round }: PlacementRecord): string[] {
  const said = [
    ...asked.map(({ name, answer }) => {
      if (answer.kind === 'silent') return `${name} did not answer: ${answer.problem}`
      return answer.kind === 'no'
        ? `${name} said no${answer.isTransient ? ' for now' : ''}: ${answer.reason}`
        : `${name} bid, and did not get it`
    }),
    ...filtered.map(({ name, why }) => `${name} was not asked: ${why}`),
  ]
  const more = said.length > MOST_NAMED ? [`${said.length - MOST_NAMED} more said no.`] : []
  return [`Nobody took it${round > 1 ? `, in round ${round}` : ''}.`, ...said.slice(0, MOST_NAMED), ...more]
}
