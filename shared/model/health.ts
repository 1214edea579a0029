import * as z from 'zod'
import { ExecutorCapacity } from './executor.ts'
import { ExecutorKind } from './executor-kind.ts'
import { Capacity } from './node.ts'

export const Health = z
  .strictObject({
    ok: z.boolean(),
    version: z.string(),
    node: z.string(),
    capacity: Capacity,
    executors: z
      // Anybody may ask: how much is left tells nothing of what runs.
      .array(
        ExecutorCapacity.pick({ cpuCores: true, memoryBytes: true, gpuCount: true, places: true }).extend({ kind: ExecutorKind }),
      )
      .default([])
      .describe('What executors said last that they can give, where that is not what the machine can; asked for by itself.'),
  })
  .meta({ id: 'Health' })
export type Health = z.infer<typeof Health>
