import type { Job, JobSummary, SpecFeature, SpecFeatureSummary } from '#shared/model/index.ts'

/** Most entries of each list that a model is given. */
const MOST = 100

/** One job, for a model: without logs, patches and what the agent said. */
export function jobFacts({ id, state, title, createdAt, endedAt, failure, result }: Job): object {
  return {
    jobId: id,
    state,
    title,
    createdAt,
    endedAt,
    failure,
    result: result && {
      hasChanges: result.commit !== null,
      files: result.diffStat.changes.slice(0, MOST).map(({ path, status }) => ({ path, status })),
      fileCount: result.diffStat.files,
      insertions: result.diffStat.insertions,
      deletions: result.diffStat.deletions,
      checks: result.checks.map(({ argv, verdict }) => ({ argv, verdict })),
    },
  }
}

export const jobListFacts = (jobs: readonly JobSummary[]): object => ({
  jobs: jobs.map(({ id, state, title, createdAt, failure }) => ({
    jobId: id,
    state,
    title,
    createdAt,
    failure: failure?.detail ?? null,
  })),
})

export const featureListFacts = (features: readonly SpecFeatureSummary[]): object => ({
  features: features.slice(0, MOST).map(({ feature, title, coverage }) => ({ feature, title, ...coverage })),
  isComplete: features.length <= MOST,
})

export function featureFacts({
  feature,
  title,
  coverage,
  stories,
  requirements,
  criteria,
  tasks,
  problems,
}: SpecFeature): object {
  const requirement = ({ id, text, tasks }: SpecFeature['requirements'][number]) => ({ id, text, tasks })
  return {
    feature,
    title,
    coverage,
    stories: stories.slice(0, MOST).map(({ id, title, priority }) => ({ id, title, priority })),
    requirements: requirements.slice(0, MOST).map(requirement),
    criteria: criteria.slice(0, MOST).map(requirement),
    // What is to be done comes first: of a long list that is what is asked for.
    tasks: tasks
      .toSorted((a, b) => Number(a.isDone) - Number(b.isDone))
      .slice(0, MOST)
      .map(({ id, title, isDone, after, story, job }) => ({
        id,
        title,
        isDone,
        after,
        story,
        job: job && { jobId: job.jobId, state: job.state },
      })),
    taskCount: tasks.length,
    problems: problems
      .slice(0, MOST)
      .map(({ code, severity, message, path, line }) => ({ code, severity, message, path, line: line + 1 })),
  }
}
