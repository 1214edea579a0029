import { type Diagnostic, DiagnosticSeverity } from 'vscode-languageserver/node'
import { type Problem, problemsOf } from '#server/specs/index.ts'
import { isEvidence, type SpecProblem } from '#shared/model/index.ts'
import { onLine } from './documents.ts'
import type { TaskJobs } from './jobs.ts'
import type { WorkspaceFeature } from './workspace.ts'

const SEVERITIES: Readonly<Record<SpecProblem['severity'], DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  info: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
}

const known = new WeakMap<WorkspaceFeature, { readonly jobs: TaskJobs; readonly problems: readonly Problem[] }>()

/** What is wrong with a feature, by what its jobs say too. Editors ask for it with every move of the cursor. */
export function problemsIn(feature: WorkspaceFeature, jobs: TaskJobs): readonly Problem[] {
  const last = known.get(feature)
  if (last?.jobs === jobs) return last.problems
  const problems = problemsOf(feature, jobs && isProvenBy(jobs), feature.linked)
  known.set(feature, { jobs, problems })
  return problems
}

const isProvenBy =
  (jobs: NonNullable<TaskJobs>) =>
  ({ id }: { readonly id: string }): boolean => {
    const job = jobs.get(id)
    return job !== undefined && isEvidence(job)
  }

export const diagnosticOf = ({ code, severity, message, line, start, end }: Problem): Diagnostic => ({
  ...{ code, message },
  range: onLine(line, { start, end }),
  severity: SEVERITIES[severity],
  source: 'skein',
})

/** Of every document of a feature, by its URI: those without a problem too, so that what was shown goes. */
export function diagnosticsOf(feature: WorkspaceFeature, jobs: TaskJobs): ReadonlyMap<string, Diagnostic[]> {
  const byUri = new Map<string, Diagnostic[]>(feature.documents.map(({ uri }) => [uri, []]))
  const uris = new Map(feature.documents.map(({ path, uri }) => [path, uri]))
  for (const problem of problemsIn(feature, jobs)) byUri.get(uris.get(problem.path) ?? '')?.push(diagnosticOf(problem))
  return byUri
}
