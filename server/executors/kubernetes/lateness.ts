import type { SandboxErrorCode } from '../index.ts'
import type { Machine } from './objects.ts'
import type { Sighting } from './sightings.ts'
import { clip, judge } from './status.ts'

/** What is known at the moment a sandbox has waited long enough. */
export interface Lateness {
  readonly seen: Sighting
  /** Why the watch of sandboxes is cut; null when what was seen is what there is. */
  readonly trouble: string | null
  /** Null where the cluster does not let us see them, or did not say in time. */
  readonly machines: readonly Machine[] | null
}

const MOST_EVENTS = 3
const MOST_MACHINES = 3
/** What a node says of itself that is well when it is `True`; of all else `True` is bad. */
const READY = 'Ready'

/**
 * Why a sandbox has not begun in time, for somebody who cannot ask the cluster any more: by then its Job is being removed, and its events
 * say nothing of what is left. So all is said: what it waits for, what the cluster complained of, and what is wrong with the node.
 */
export function whyLate({ seen, trouble, machines }: Lateness): { code: SandboxErrorCode; text: string; remedy?: string } {
  const { failure, reason, machine } = judge(seen)
  const state = failure?.text ?? reason ?? 'The cluster says nothing of it'
  const complaints = seen.events
    .filter(({ type, message }) => type === 'Warning' && !state.includes(clip(message)))
    .map(({ reason, message }) => `${reason}: ${message}`)
    .filter((text, index, all) => all.lastIndexOf(text) === index)
    .slice(-MOST_EVENTS)
  const ill = (machines ?? [])
    .filter(({ metadata }) => machine === null || metadata.name === machine)
    .flatMap(each => ailments(each))
    .slice(0, MOST_MACHINES)
  const parts = [
    state,
    trouble === null ? null : `The watch of the cluster is cut, so this may be old: ${trouble}`,
    complaints.length === 0 ? null : `The cluster complained: ${complaints.join('; ')}`,
    ill.length === 0 ? null : ill.join('; '),
  ]
  const text = parts.flatMap(part => (part === null ? [] : [clip(part)])).join('. ')
  return { code: failure?.code ?? 'unschedulable', text, ...(failure?.remedy === undefined ? {} : { remedy: failure.remedy }) }
}

/** What keeps a machine from taking pods, in one line; nothing when it is well. */
function ailments({ metadata, spec, status }: Machine): string[] {
  const conditions = status.conditions
    .filter(({ type, status }) => (type === READY ? status !== 'True' : status === 'True'))
    .map(
      ({ type, reason, message }) =>
        `${type === READY ? 'not ready' : type}${message || reason ? ` (${message || reason})` : ''}`,
    )
  const taints = spec.taints.map(({ key, effect }) => `tainted ${key}:${effect}`)
  const all = [...conditions, ...(spec.unschedulable ? ['cordoned'] : []), ...taints]
  return all.length === 0 ? [] : [`Node ${metadata.name}: ${all.join(', ')}`]
}
