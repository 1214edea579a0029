import type { CheckRun, CheckVerdict } from './result.ts'

export function checkVerdict(base: Pick<CheckRun, 'exitCode'>, result: Pick<CheckRun, 'exitCode'>): CheckVerdict {
  if (result.exitCode === 0) return base.exitCode === 0 ? 'vacuous' : 'fixed'
  return base.exitCode === 0 ? 'broken' : 'red'
}
