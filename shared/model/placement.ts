import * as z from 'zod'
import { NodeId, Terms } from './fleet.ts'
import { Timestamp } from './job.ts'

const who = { node: NodeId, name: z.string() }

/** What a node answered, and what that was worth. */
export const PlacementAnswer = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('bid'),
      terms: Terms,
      score: z.number().describe('Expected ms until done, with penalties; the lowest wins.'),
      parts: z.record(z.string(), z.number()).describe('What the score is the sum of.'),
    }),
    z.strictObject({ kind: z.literal('no'), isTransient: z.boolean(), reason: z.string() }),
    z.strictObject({ kind: z.literal('silent'), problem: z.string() }),
  ])
  .meta({ id: 'PlacementAnswer' })
export type PlacementAnswer = z.infer<typeof PlacementAnswer>

/** How an attempt came to its node: who was asked, what each answered, who got it. */
export const PlacementRecord = z
  .strictObject({
    epoch: z.int().min(1),
    at: Timestamp,
    filtered: z.array(z.strictObject({ ...who, why: z.string() })).describe('Nodes that could not do it, by their cards.'),
    asked: z.array(
      z.strictObject({
        ...who,
        why: z.enum(['self', 'random', 'warm']).describe('Which rule chose to ask it.'),
        answer: PlacementAnswer,
        ms: z.number().min(0),
      }),
    ),
    awarded: NodeId.nullable(),
  })
  .meta({ id: 'PlacementRecord' })
export type PlacementRecord = z.infer<typeof PlacementRecord>
