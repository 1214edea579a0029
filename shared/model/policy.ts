import * as z from 'zod'
import { Hours } from './hours.ts'
import { IsolationLevel } from './isolation.ts'
import { section } from './section.ts'

const members = () =>
  z.strictObject({
    users: z.array(z.string().min(1).max(320)).default([]).describe('Login names.'),
    tags: z.array(z.string().regex(/^tag:/)).default([]).describe('Such as `tag:skein`.'),
  })
export const NOBODY = { users: [], tags: [] }

/** Members of a mesh, by what the mesh says of them. */
export const Members = section(NOBODY, members)

/** Under what conditions jobs of others are taken; what is not said is not asked for. */
const conditions = () => ({
  hours: z.array(Hours).max(32).optional().describe('When, in local time, such as `mon-fri 18:00-08:00` or `sat,sun`.'),
  power: z.enum(['any', 'mains']).optional().describe('`mains`: not while the machine runs on its battery.'),
  idleBelow: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Only while the load of the last minute is below this share of the cores.'),
  attempts: z.int().min(0).optional().describe('How many attempts of others at once; default: as many as there are places.'),
  executors: z.array(z.string().max(40)).max(8).optional().describe('Which executors; default: all.'),
  isolation: z
    .array(IsolationLevel.exclude(['none']))
    .max(4)
    .optional()
    .describe('Which levels of isolation do; without a sandbox none does.'),
  labels: z.record(z.string().min(1).max(63), z.string().max(255)).optional().describe('Labels a job must have asked for.'),
})

/** Conditions of its own for some nodes. */
const exception = () =>
  members().extend({
    ...conditions(),
    nodes: z.array(z.string().min(1).max(63)).default([]).describe('Names or ids.'),
    take: z.boolean().default(true).describe('`false`: none of their jobs, whoever else vouches for them.'),
  })

/**
 * Whose jobs a node takes, and when. Paired nodes and those with a grant are let in by that; `users` and `tags` let in more. The
 * first entry of `for` that names a node says all there is to say of it, in place of the conditions beside it.
 */
export const AcceptPolicy = section({ ...NOBODY, for: [] }, () =>
  members().extend({ ...conditions(), for: z.array(exception()).max(64).default([]) }),
)
export type AcceptPolicy = z.infer<typeof AcceptPolicy>
