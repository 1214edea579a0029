import * as z from 'zod'
import { IsolationLevel } from './isolation.ts'
import { Capacity } from './node.ts'
import { NodeId } from './node-id.ts'
import { ProtocolRange, since } from './protocol.ts'

/** What a node tells of itself to those it trusts. A newer card has a higher `seq`. Only chooses whom to ask, never who wins. */
export const Card = z
  .strictObject({
    node: NodeId,
    name: z.string().min(1).max(63),
    seq: z.int().min(1).describe('Rises with every card of a node, restarts included.'),
    version: z.string().max(40),
    protocol: ProtocolRange,
    capacity: Capacity,
    slots: z.int().min(0).describe('Attempts at once.'),
    busy: z.int().min(0).describe('Slots taken or reserved.'),
    waitingPlaces: since(2, z.int().min(0).default(0).describe('Awarded attempts that may wait for a slot.')),
    waiting: since(2, z.int().min(0).default(0).describe('Waiting places taken or reserved.')),
    queued: z.int().min(0),
    executors: z
      .array(
        z.strictObject({
          kind: z.string().max(40),
          isolation: IsolationLevel.describe('What it gives to a job that asks for none.'),
          levels: since(4, z.array(IsolationLevel).max(4).optional().describe('All it can give; default: that one.')),
        }),
      )
      .max(8),
    agents: z.array(z.string().max(40)).max(64),
    models: z.array(z.string().max(200)).max(256),
    repositories: z.array(z.string().max(64)).max(1000).describe('Repository caches, by the name their home gave them.'),
    draining: z.boolean(),
  })
  .meta({ id: 'Card' })
export type Card = z.infer<typeof Card>
