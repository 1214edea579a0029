import { type Diagnostic, DiagnosticSeverity } from 'vscode-languageserver'
import { type Problem, problemsOf } from '#server/specs/index.ts'
import type { SpecJob, SpecProblem } from '#shared/model/index.ts'
import { onLine } from './documents.ts'
import type { WorkspaceFeature } from './workspace.ts'

const SEVERITIES: Readonly<Record<SpecProblem['severity'], DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  info: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
}

export function problemsIn(feature: WorkspaceFeature, jobs: ReadonlyMap<string, SpecJob> | null): Problem[] {
  return problemsOf(feature, jobs && new Map([...jobs].map(([task, { state }]) => [task, state])))
}

export const diagnosticOf = ({ code, severity, message, line, start, end }: Problem): Diagnostic => ({
  ...{ code, message },
  range: onLine(line, { start, end }),
  severity: SEVERITIES[severity],
  source: 'skein',
})
