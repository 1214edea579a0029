const FIRST_MS = 250
const LONGEST_MS = 30_000

/** How long to wait before a process that failed so often in a row is started again, ms. */
export const restartPauseMs = (failures: number): number => Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1))
