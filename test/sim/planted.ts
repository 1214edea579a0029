/** A fault to be planted in the sources: one place of one file reads differently. */
export interface Planted {
  readonly name: string
  /** From the root of the repository. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}
