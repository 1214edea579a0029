import type { JobId } from '../model/index.ts'

/** What a page shows. In a browser it is the fragment of the address. */
export type Route =
  | { readonly page: 'jobs' }
  | { readonly page: 'job'; readonly jobId: JobId; readonly tab?: JobTab }
  | { readonly page: 'fleet' }
  | { readonly page: 'run'; readonly repository: string; readonly feature: string }

export const JOB_TABS = ['log', 'timeline', 'changes', 'details'] as const
export type JobTab = (typeof JOB_TABS)[number]

/** What a page leaves for its next start (`setState` of VS Code): a reload and a restart of the editor go on from it. */
export interface PageState {
  readonly route: Route
  /** What the person had set, by name: filters, what is folded, whether the log is followed. */
  readonly kept: Readonly<Record<string, unknown>>
}
