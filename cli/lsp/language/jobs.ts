import type { SpecJob } from '#shared/model/index.ts'

/** The newest job of each task of a feature; null while nobody can say. */
export type TaskJobs = ReadonlyMap<string, SpecJob> | null

/** What is known of jobs of tasks. */
export interface JobsOfTasks {
  /** As it is known now. @param root work tree */
  of(root: string, feature: string): TaskJobs
  /** From now on, tells of changes to the jobs of a feature. May be called again. */
  want(root: string, feature: string): void
  /** It is not wanted any more. */
  drop(root: string, feature: string): void
}
