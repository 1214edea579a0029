import type { SpecFeature, SpecFeatureSummary, SpecJob, SpecProblem } from '#shared/model/index.ts'
import { problemsOf } from './analysis/index.ts'
import type { ReadFeature } from './reader.ts'

/** Most problems that are told of one feature; `coverage` counts them all. */
const MOST_PROBLEMS = 1_000

/** A feature as the API shows it. @param jobs newest job of each task */
export function presentFeature(feature: ReadFeature, jobs: ReadonlyMap<string, SpecJob>): SpecFeature {
  const states = new Map([...jobs].map(([task, { state }]) => [task, state]))
  const problems = [...feature.skipped.map(tooLarge), ...problemsOf(feature, states, feature.linked)]
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
    tasks: feature.tasks.map(({ id, title, box, story, phase, paths, path, line }) => ({
      ...{ id, title, story, phase, path, line },
      isDone: box.isTicked,
      isParallel: box.isParallel,
      after: [...(after.get(id) ?? [])],
      paths: paths.map(one => one.path),
      job: jobs.get(id) ?? null,
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
