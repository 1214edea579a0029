import { GROUPS, type Group } from './job-states.ts'
import { createSignal, type Listen } from './signal.ts'
import type { Memory } from './started.ts'

/** How the person wants to see the jobs. */
export interface JobListWishes {
  readonly grouping: 'state' | 'spec'
  /** Words to search for; empty: no search. */
  readonly text: string
  /** Only jobs of the folders that are open. */
  readonly onlyHere: boolean
  /** Only jobs in these states; null: in all. */
  readonly groups: readonly Group[] | null
}

/** Wishes that survive a reload of the window. */
export interface JobList {
  readonly wishes: JobListWishes
  change(change: Partial<JobListWishes>): void
  readonly onChange: Listen<JobListWishes>
}

const KEY = 'skein.jobs.list'
const NONE: JobListWishes = { grouping: 'state', text: '', onlyHere: false, groups: null }

export function createJobList(memory: Memory): JobList {
  const changed = createSignal<JobListWishes>()
  let wishes = readWishes(memory.get<unknown>(KEY, NONE))
  return {
    get wishes() {
      return wishes
    },
    change(change) {
      wishes = readWishes({ ...wishes, ...change })
      void memory.update(KEY, wishes)
      changed.emit(wishes)
    },
    onChange: changed.listen,
  }
}

/** What another version of the extension may have kept is taken as far as it is understood. */
function readWishes(kept: unknown): JobListWishes {
  if (typeof kept !== 'object' || kept === null) return NONE
  const { grouping, text, onlyHere, groups } = kept as Partial<Record<keyof JobListWishes, unknown>>
  const chosen = Array.isArray(groups) ? GROUPS.filter(group => groups.includes(group)) : GROUPS
  return {
    grouping: grouping === 'spec' ? 'spec' : 'state',
    text: typeof text === 'string' ? text : '',
    onlyHere: onlyHere === true,
    // All of them, or none, is no filter.
    groups: chosen.length === 0 || chosen.length === GROUPS.length ? null : chosen,
  }
}
