/** Everything that is git: snapshot, bundle, check-out, result, and bringing it home. */
export { applyResult } from './apply.ts'
export { createBranch } from './branch.ts'
export { bringHome } from './deliver.ts'
export { createGit } from './git.ts'
export * from './port.ts'
export { createWorkspace } from './workspace.ts'
export { writeBranch } from './write-branch.ts'
