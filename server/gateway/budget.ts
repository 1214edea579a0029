import { ApiError } from '#shared/contract/index.ts'

/** Model calls of one sandbox at once, and the bytes their bodies may have together. */
const MAX_CALLS = 32
const MAX_BYTES = 64 * 1024 * 1024

/** What the calls of one sandbox take of the server's memory while they are answered. */
export interface Budget {
  /** @throws {ApiError} `too_many_requests` when too many calls are open. */
  begin(): BudgetedCall
}

/** One call's part; disposing it gives all of it back. */
export interface BudgetedCall extends Disposable {
  /** @throws {ApiError} `too_many_requests` when the bodies of all calls together are too large. */
  take(bytes: number): void
}

const busy = (detail: string) => new ApiError('too_many_requests', detail, { retryAfterMs: 1000 })

/** A sandbox is hostile: without a bound, its 256 connections could hold 256 of the largest bodies. */
export function createBudget(): Budget {
  let calls = 0
  let bytes = 0
  return {
    begin() {
      if (calls >= MAX_CALLS) throw busy(`A job may have ${MAX_CALLS} model calls open at once.`)
      calls += 1
      let taken = 0
      return {
        take(more) {
          if (bytes + more > MAX_BYTES) throw busy('The open model calls of this job are too large together.')
          taken += more
          bytes += more
        },
        [Symbol.dispose]() {
          calls -= 1
          bytes -= taken
          taken = 0
        },
      }
    },
  }
}
