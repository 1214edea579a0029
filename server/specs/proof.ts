import type { SpecJobRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { commandText, isEvidence, type SpecEvidence, type SpecJob, sanitizeLine } from '#shared/model/index.ts'
import type { Ticked } from './ticks.ts'

/** Checks of a job that are named, and characters of each. */
const MOST_COMMANDS = 8
const LONGEST_COMMAND = 200

const isGreen = ({ verdict }: SpecJobRow['checks'][number]): boolean => verdict === 'fixed' || verdict === 'vacuous'

/** A job as it is shown with its task. @param wording hash of what the task asks for now @param node null for this one */
export function specJob(row: SpecJobRow, wording: string, node: string | null): SpecJob {
  const { jobId, state, checks } = row
  return {
    ...{ jobId, state, node },
    checks: { green: checks.filter(isGreen).length, all: checks.length },
    commands: checks.slice(0, MOST_COMMANDS).map(({ argv, verdict }) => ({
      command: sanitizeLine(commandText(argv)).slice(0, LONGEST_COMMAND),
      verdict,
    })),
    wording: row.wording === null ? 'unknown' : row.wording === wording ? 'same' : 'changed',
  }
}

/**
 * What proves that boxes may be ticked.
 * @param jobOf newest job of a task, held to a wording of it
 * @throws {ApiError} no_evidence, when one of them is not proven
 */
export function evidenceOf(ticked: readonly Ticked[], jobOf: (task: string, wording: string) => SpecJob | null): SpecEvidence[] {
  return ticked.map(({ task, wording, namesakes, path, line }) => {
    if (task === null)
      throw new ApiError('no_evidence', `The box on line ${line + 1} of ${path} is no task\u2019s: no job proves it.`, {
        remedy: 'Leave it clear; a person may tick it in an editor at any time.',
      })
    const job = jobOf(task, wording)
    const why =
      namesakes > 1 ? `${namesakes} tasks would be ${task}: which of them is done cannot be told.` : whyUnproven(task, job)
    if (job === null || why !== null)
      throw new ApiError('no_evidence', why ?? '', {
        remedy: 'Run the task with checks; a person may tick its box in an editor at any time.',
      })
    return { task, jobId: job.jobId, checks: job.checks, commands: job.commands }
  })
}

/** Why no job proves a task done; null when one does. */
function whyUnproven(task: string, job: SpecJob | null): string | null {
  if (!job) return `No job was for ${task}.`
  if (isEvidence(job)) return null
  const { jobId, state, checks, wording } = job
  if (state !== 'succeeded') return `The newest job for ${task}, ${jobId}, has not succeeded: it is ${state}.`
  if (checks.all === 0) return `Job ${jobId} for ${task} succeeded without a check, so that only its agent says it is done.`
  if (checks.green < checks.all)
    return `${checks.all - checks.green} of ${checks.all} checks of job ${jobId} for ${task} are red.`
  return wording === 'changed'
    ? `${task} does not ask for what it asked for when job ${jobId} was made for it.`
    : `There was no one task ${task} when job ${jobId} was made for it, so that what it did is not known.`
}
