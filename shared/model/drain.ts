import * as z from 'zod'
import { JobId, Timestamp } from './id.ts'
import { NodeId } from './node-id.ts'
import { JobState } from './state.ts'

/** Whether a node takes attempts, and what still runs there. */
export const DrainStatus = z
  .strictObject({
    draining: z.boolean(),
    since: Timestamp.nullable(),
    handBackAt: Timestamp.nullable().describe('When attempts of others are given back to their homes; null: they may finish.'),
    running: z.array(
      z.strictObject({
        jobId: JobId,
        epoch: z.int().min(1),
        title: z.string(),
        state: JobState,
        home: z.strictObject({ node: NodeId, name: z.string() }).nullable().describe('Whose job it is; null: of this node.'),
      }),
    ),
    queued: z.int().min(0).describe('Jobs of this node that wait for a place.'),
  })
  .meta({ id: 'DrainStatus' })
export type DrainStatus = z.infer<typeof DrainStatus>
