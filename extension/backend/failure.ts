import type { Problem } from '#shared/contract/index.ts'
import { LSP_PROBLEM } from '#shared/contract/lsp.ts'

/** A call that the orchestrator, or the process in between, refused: what happened, why, and what to do. */
export class BackendError extends Error {
  readonly problem: Problem
  /** Whether somebody answered so; else the call did not come through. */
  readonly isAnswer: boolean

  constructor(problem: Problem, { isAnswer, ...options }: ErrorOptions & { isAnswer: boolean }) {
    super(problem.detail, options)
    this.name = 'BackendError'
    this.problem = problem
    this.isAnswer = isAnswer
  }
}

/** Code of a JSON-RPC error for a request that was cancelled. */
const CANCELLED = -32800

/** @returns null for a call that was cancelled: that is not a failure. */
export function failureOf(cause: unknown): BackendError | null {
  if (cause instanceof BackendError) return cause
  const { code, data, message } = (cause ?? {}) as { code?: unknown; data?: unknown; message?: unknown }
  if (code === CANCELLED) return null
  const problem = data as Problem | null | undefined
  if (code === LSP_PROBLEM && typeof problem?.detail === 'string') return new BackendError(problem, { cause, isAnswer: true })
  return notReady({ reason: typeof message === 'string' && message !== '' ? message : String(cause), remedy: null }, cause)
}

/** The failure of a call that did not come through. */
export function notReady({ reason, remedy }: { reason: string; remedy: string | null }, cause?: unknown): BackendError {
  const title = 'The call did not come through'
  const problem: Problem = { type: 'about:blank', title, status: 503, detail: reason, code: 'not_ready' }
  return new BackendError(remedy === null ? problem : { ...problem, remedy }, { cause, isAnswer: false })
}

/** The failure of a call that was not made, since nothing may be changed. */
export function refused(detail: string): BackendError {
  return new BackendError(
    { type: 'about:blank', title: 'Not allowed', status: 403, detail, code: 'forbidden' },
    { isAnswer: false },
  )
}

/** One sentence or two for a person. */
export function sentence(error: unknown): string {
  if (!(error instanceof BackendError)) return error instanceof Error ? error.message : String(error)
  const { detail, remedy } = error.problem
  return remedy === undefined ? detail : `${detail} ${remedy}`
}
