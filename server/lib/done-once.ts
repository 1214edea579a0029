/** Work that is done once for all who ask. A failure is for those who wait for it: whoever asks next has it tried again. */
export function doneOnce<A extends unknown[], T>(work: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  let doing: Promise<T> | null = null
  return (...args) => {
    doing ??= work(...args).catch(cause => {
      doing = null
      throw cause
    })
    return doing
  }
}
