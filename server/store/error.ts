/**
 * Why a store cannot be opened or used: written by a `newer` version, `corrupt` file, `read_only` place, `locked` by another
 * process, or `failed` for what the operating system says.
 */
export type StoreErrorCode = 'newer' | 'corrupt' | 'read_only' | 'locked' | 'failed'

/** A failure of the place where data is kept: what happened and why (`message`), and what to do (`remedy`). */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  readonly remedy: string

  constructor(code: StoreErrorCode, detail: string, remedy: string, options?: { cause?: unknown }) {
    super(`${detail} ${remedy}`, options)
    this.name = 'StoreError'
    this.code = code
    this.remedy = remedy
  }
}
