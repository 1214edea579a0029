import * as z from 'zod'

const bytes = z.int().min(1).max(Number.MAX_SAFE_INTEGER)
const ms = z
  .int()
  .min(1)
  .max(7 * 24 * 3_600_000)

/** What one sandbox may use. Every limit has a default in the configuration; a job may lower or raise its own. */
export const Limits = z
  .strictObject({
    memoryBytes: bytes.describe('Memory of all processes together where the machine has control groups, else of each.'),
    cpuSeconds: z
      .int()
      .min(1)
      .max(7 * 24 * 3600)
      .describe('Processor time of one process.'),
    processes: z.int().min(1).max(1_000_000).describe('Processes and threads alive at once.'),
    fileBytes: bytes.describe('Size of one file written.'),
    diskBytes: bytes.describe('Size of the work tree and the private tmp together.'),
    logBytes: bytes.describe('Log kept for the job; what comes after is counted and dropped.'),
  })
  .meta({ id: 'Limits' })
export type Limits = z.infer<typeof Limits>

export const Timeouts = z
  .strictObject({
    queueMs: ms.describe('Longest wait before the first attempt starts.'),
    runMs: ms.describe('Longest run of the agent in one attempt.'),
    checkMs: ms.describe('Longest run of one check.'),
    silenceMs: ms.describe('Longest time the agent may print nothing and report nothing.'),
    permissionMs: ms.describe('Longest wait for an answer to a permission request; then it counts as denied.'),
  })
  .meta({ id: 'Timeouts' })
export type Timeouts = z.infer<typeof Timeouts>

/** Lays what a job says over what the node says; a field left out, or undefined, changes nothing. Later ones win. */
export function overlay<T extends Record<string, number>>(
  defaults: T,
  ...changes: readonly { readonly [K in keyof T]?: T[K] | undefined }[]
): T {
  const result = { ...defaults }
  for (const change of changes) {
    for (const key of Object.keys(defaults) as (keyof T)[]) result[key] = change[key] ?? result[key]
  }
  return result
}
