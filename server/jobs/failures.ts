import { SandboxError } from '#server/executors/index.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { Failure, FailureCode } from '#shared/model/index.ts'

/** A failure of the work itself, thrown where the attempt cannot go on. */
export class WorkFailure extends Error {
  readonly failure: Failure

  constructor(code: FailureCode, detail: string, remedy?: string) {
    super(detail)
    this.name = 'WorkFailure'
    this.failure = { code, detail, ...(remedy === undefined ? {} : { remedy }) }
  }
}

/** In an attempt `unschedulable` and `lost` are no failures of the work: see `endOf`. */
const SANDBOX_CODES: Readonly<Record<SandboxError['code'], FailureCode>> = {
  unavailable: 'sandbox_unavailable',
  image_unavailable: 'image_unavailable',
  image_unsuitable: 'image_unsuitable',
  quota_exceeded: 'quota_exceeded',
  unschedulable: 'sandbox_unavailable',
  not_found: 'sandbox_failed',
  lost: 'sandbox_failed',
  failed: 'sandbox_failed',
}

const WORKSPACE_CODES: Readonly<Record<WorkspaceError['code'], FailureCode>> = {
  not_a_repository: 'snapshot_failed',
  unsafe_path: 'unsafe_path',
  too_large: 'result_too_large',
  snapshot_missing: 'snapshot_missing',
  git_failed: 'internal',
  repository_gone: 'internal',
  conflict: 'internal',
}

/** What an exception in an attempt means for its job. */
export function failureOf(error: unknown): Failure {
  if (error instanceof WorkFailure) return error.failure
  const remedy =
    error instanceof WorkspaceError || error instanceof SandboxError
      ? error.remedy
      : error instanceof ApiError
        ? error.extras.remedy
        : undefined
  const detail = messageOf(error)
  return { code: codeOf(error), detail, ...(remedy === undefined ? {} : { remedy }) }
}

function codeOf(error: unknown): FailureCode {
  if (error instanceof WorkspaceError) return WORKSPACE_CODES[error.code]
  if (error instanceof SandboxError) return SANDBOX_CODES[error.code]
  return 'internal'
}
