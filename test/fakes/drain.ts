import type { DrainFile, DrainState } from '#server/jobs/index.ts'

/** A drain that is kept as long as the test. */
export function memoryDrain(): DrainFile {
  let kept: DrainState | null = null
  return {
    load: async () => kept,
    async save(state) {
      kept = state
    },
  }
}
