import { createHistory, createPromises, type History, type JobClass, type Promises } from '#server/placement/index.ts'
import type { KeptRow, Lesson, Store } from '#server/store/index.ts'
import type { Announcement, AttemptEnd, JobSpec, NodeId, PlacementOutcome, Snapshot } from '#shared/model/index.ts'

/** What this node has learned from attempts; read from the store when it is first asked for. */
export interface Experience {
  /** How long attempts take here. */
  history(): Promise<History>
  /** How far the promises of nodes can be believed. */
  promises(): Promise<Promises>
  /** Takes in what an attempt's end teaches. @returns it, to be written with that end */
  learn(lesson: Lesson): Lesson
}

export function createExperience({ store }: { store: Pick<Store, 'learned'> }): Experience {
  let history: Promise<History> | null = null
  let promises: Promise<Promises> | null = null
  // Never held against an attempt: what cannot be read is not known.
  const read = <T>(rows: Promise<T[]>) => rows.catch((): T[] => [])

  return {
    history() {
      history ??= read(store.learned.ran()).then(createHistory)
      return history
    },
    promises() {
      promises ??= read(store.learned.kept()).then(createPromises)
      return promises
    },
    learn(lesson) {
      const { ran, kept } = lesson
      if (ran) void history?.then(known => known.add(ran))
      if (kept) void promises?.then(known => known.add(kept))
      return lesson
    },
  }
}

/** The class of a job as it runs on this node. @param snapshot of which only the name of the cache here counts */
export const classOf = (
  spec: Pick<JobSpec, 'agent' | 'model'> & { readonly executor: string },
  snapshot: Pick<Snapshot, 'repositoryId'> | null,
): JobClass => ({
  agent: spec.agent,
  executor: spec.executor,
  model: spec.model ?? null,
  repository: snapshot?.repositoryId ?? null,
})

/** The class of what is announced. @param repository name of its cache here */
export const announcedClass = ({ agent, executor, model }: Announcement, repository: string | null): JobClass => ({
  agent,
  executor,
  model,
  repository,
})

/** Whether the time of an attempt tells how long others will take; one that failed at once, or was stopped, does not. */
export const isTelling = (end: AttemptEnd): boolean =>
  end.kind === 'result' || (end.kind === 'stopped' && ['run_timeout', 'silence_timeout', 'check_timeout'].includes(end.stop))

/** What an attempt's end teaches about the node that had promised something. */
export const keptBy = (node: NodeId, { agent, executor, model }: JobClass, outcome: PlacementOutcome): KeptRow => ({
  node,
  agent,
  executor,
  model,
  ...outcome,
})
