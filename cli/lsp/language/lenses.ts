import type { CodeLens, Command } from 'vscode-languageserver/node'
import { type JobArgument, LSP_COMMANDS, type SpecTaskArgument } from '#shared/contract/lsp.ts'
import { isEnd, type JobState, type SpecJob } from '#shared/model/index.ts'
import { onLine } from './documents.ts'
import type { TaskJobs } from './jobs.ts'
import type { WorkspaceFeature } from './workspace.ts'

/** Which lens it is, for when its command is asked for. */
interface LensData {
  readonly uri: string
  readonly task: string
  readonly nth: number
}

/** A lens over each task with something to do about it; what that is, is asked for when it comes into view. */
export function lensesOf(feature: WorkspaceFeature, uri: string, jobs: TaskJobs): CodeLens[] {
  const path = feature.documents.find(one => one.uri === uri)?.path
  return feature.tasks
    .filter(task => task.path === path)
    .flatMap(({ id, line, start, end, box }) =>
      kindsOf(jobs?.get(id), box.isTicked).map((_, nth) => ({
        range: onLine(line, { start, end }),
        data: { uri, task: id, nth } satisfies LensData,
      })),
    )
}

/** @returns null when the lens is of another time */
export function commandOf(feature: WorkspaceFeature, data: LensData, jobs: TaskJobs): Command | null {
  const task = feature.tasks.find(({ id }) => id === data.task)
  const job = jobs?.get(data.task)
  const kind = task && kindsOf(job, task.box.isTicked)[data.nth]
  if (!task || !kind) return null
  const run: SpecTaskArgument = {
    ...{ feature: feature.name, task: task.id, title: task.title },
    ...{ repository: feature.root, document: data.uri, jobId: job?.jobId ?? null },
  }
  if (kind === 'run') return { title: job ? 'Run again' : 'Run', command: LSP_COMMANDS.runTask, arguments: [run] }
  if (!job) return null
  const named: JobArgument = { jobId: job.jobId }
  return kind === 'review'
    ? { title: 'Review', command: LSP_COMMANDS.reviewJob, arguments: [named] }
    : { title: activity(job), command: LSP_COMMANDS.openJob, arguments: [named] }
}

export function lensData(data: unknown): LensData | null {
  if (typeof data !== 'object' || data === null) return null
  const { uri, task, nth } = data as Partial<Record<keyof LensData, unknown>>
  return typeof uri === 'string' && typeof task === 'string' && typeof nth === 'number' ? { uri, task, nth } : null
}

function kindsOf(job: SpecJob | undefined, isTicked: boolean): readonly ('run' | 'open' | 'review')[] {
  if (!job) return isTicked ? [] : ['run']
  if (!isEnd(job.state)) return ['open']
  if (job.state === 'succeeded') return isTicked ? ['review'] : ['review', 'run']
  return ['open', 'run']
}

const WORDS: Readonly<Record<JobState, string>> = {
  queued: 'Waiting',
  placing: 'Waiting',
  preparing: 'Preparing',
  running: 'Running',
  checking: 'Checking',
  succeeded: 'Succeeded',
  failed: 'Failed',
  cancelled: 'Cancelled',
}

const activity = ({ state, node }: SpecJob): string => (node === null ? WORDS[state] : `${WORDS[state]} on ${node}`)
