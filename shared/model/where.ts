import * as z from 'zod'

/** How a job finds its node; part of what a person asks for. */
export const Where = z
  .strictObject({
    on: z.array(z.string().min(1).max(63)).max(64).default([]).describe('Names or ids of the only nodes to ask.'),
    notOn: z.array(z.string().min(1).max(63)).max(64).default([]),
    labels: z.record(z.string().min(1).max(63), z.string().max(255)).default({}).describe('Labels the node must carry.'),
    gpu: z.boolean().default(false),
    local: z.boolean().default(false).describe('Only this node.'),
  })
  .meta({ id: 'Where' })
export type Where = z.infer<typeof Where>
