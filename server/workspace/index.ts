/** Everything that is git: snapshot, bundle, check-out, result, and bringing it home. */
export { type ApplyOutcome, applyResult, createBranch } from './apply.ts'
export * from './port.ts'
export { createWorkspace } from './workspace.ts'
