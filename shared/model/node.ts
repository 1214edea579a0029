import * as z from 'zod'

export const Capacity = z
  .strictObject({
    cpuCores: z.int().min(1),
    memoryBytes: z.int().min(0),
    storageBytes: z.int().min(0).describe('Free on the file system of the data directory.'),
    gpuCount: z.int().min(0),
    labels: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Capacity' })
export type Capacity = z.infer<typeof Capacity>

export const PowerSource = z.enum(['mains', 'battery', 'unknown']).meta({ id: 'PowerSource' })
export type PowerSource = z.infer<typeof PowerSource>

export const PruneReport = z
  .strictObject({
    jobs: z.int().describe('Ended jobs removed; with dryRun those that would be, at most.'),
    logBytes: z.int(),
    freedBytes: z.int().describe('With dryRun what their logs take, which is not all that would be freed.'),
    dryRun: z.boolean(),
  })
  .meta({ id: 'PruneReport' })
export type PruneReport = z.infer<typeof PruneReport>
