import { isEvidence, type SpecFeature, type SpecFeatureSummary, type SpecJob, type SpecProblem } from '#shared/model/index.ts'
import { type PlacedTask, problemsOf } from './analysis/index.ts'
import type { ReadFeature } from './reader.ts'

/** Most problems that are told of one feature; `coverage` counts them all. */
const MOST_PROBLEMS = 1_000

/** A feature as the API shows it. @param jobOf newest job of a task, held to what the task asks for now */
export function presentFeature(feature: ReadFeature, jobOf: (task: PlacedTask) => SpecJob | null): SpecFeature {
  const jobs = new Map(feature.tasks.map(task => [task, jobOf(task)]))
  const isProven = (task: PlacedTask): boolean => {
    const job = jobs.get(task)
    return job != null && isEvidence(job)
  }
  const problems = [...feature.skipped.map(tooLarge), ...problemsOf(feature, isProven, feature.linked)]
  const requirements = feature.requirements.filter(({ kind }) => kind === 'requirement')
  const after = new Map<string, Set<string>>()
  for (const { outline } of feature.documents)
    for (const { task, after: other } of outline.dependencies) after.set(task, (after.get(task) ?? new Set()).add(other))
  const shown = ({ id, text, path, line }: (typeof requirements)[number]) => ({
    ...{ id, text, path, line },
    tasks: [...(feature.coverage.get(id) ?? [])],
  })
  return {
    feature: feature.name,
    title: feature.title ?? feature.name,
    documents: feature.documents.map(({ path, kind, sha256 }) => ({ path, kind, sha256 })),
    coverage: {
      tasks: feature.tasks.length,
      done: feature.tasks.filter(({ box }) => box.isTicked).length,
      requirements: requirements.length,
      covered: requirements.filter(({ id }) => feature.coverage.get(id)?.length).length,
      clarifications: problems.filter(({ code }) => code === 'needs-clarification').length,
      problems: problems.filter(({ severity }) => severity === 'error' || severity === 'warning').length,
    },
    stories: feature.stories.map(({ id, title, priority, path, line }) => ({ id, title, priority, path, line })),
    requirements: requirements.map(shown),
    criteria: feature.requirements.filter(({ kind }) => kind === 'criterion').map(shown),
    tasks: [...jobs].map(([{ id, title, box, story, phase, paths, path, line }, job]) => ({
      ...{ id, title, story, phase, path, line },
      isDone: box.isTicked,
      isParallel: box.isParallel,
      after: [...(after.get(id) ?? [])],
      paths: paths.map(one => one.path),
      job,
    })),
    checks: feature.documents.flatMap(({ path, outline }) =>
      outline.checks.map(({ id, box, line }) => ({ id, text: box.text, isDone: box.isTicked, path, line })),
    ),
    problems: problems
      .slice(0, MOST_PROBLEMS)
      .map(({ code, severity, message, path, line }) => ({ code, severity, message, path, line })),
  }
}

const tooLarge = (path: string): SpecProblem => ({
  ...{ code: 'too-large', severity: 'warning', path, line: 0 },
  message: 'This document is too large, and was not read: 2 MiB is the most, and 8 MiB for all of a feature.',
})

export function summaryOf({ feature, title, documents, coverage }: SpecFeature): SpecFeatureSummary {
  return { feature, title, documents, coverage }
}
