import * as z from 'zod'
import { Terms } from './fleet.ts'
import { Timestamp } from './id.ts'
import { NodeId } from './node-id.ts'

const who = { node: NodeId, name: z.string() }

/** Why a node is given work: it is this one, its owner paired it, it belongs to the same person, or a policy or setting grants it. */
export const Trust = z.enum(['self', 'paired', 'own', 'granted']).meta({ id: 'Trust' })
export type Trust = z.infer<typeof Trust>

/** What a home makes of a node's promises, by what came of earlier ones of that class of job. */
export const Correction = z
  .strictObject({
    attempts: z.int().min(0).describe('Attempts that this rests on.'),
    lateMs: z.number().min(0).describe('How much later than promised attempts started, on average.'),
    runFactor: z.number().min(1).describe('How many times as long as promised they ran.'),
  })
  .meta({ id: 'Correction' })
export type Correction = z.infer<typeof Correction>

/** What a node answered, and what that was worth. */
export const PlacementAnswer = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('bid'),
      terms: Terms,
      score: z.number().describe('Expected ms until done, with penalties; the lowest wins.'),
      parts: z.record(z.string(), z.number()).describe('What the score is the sum of.'),
      correction: Correction.default({ attempts: 0, lateMs: 0, runFactor: 1 }),
      trust: Trust.nullable().default(null).describe('null in records of before it counted.'),
    }),
    z.strictObject({
      kind: z.literal('no'),
      isTransient: z.boolean(),
      reason: z.string(),
      againMs: z.number().min(0).nullable().default(null),
    }),
    z.strictObject({ kind: z.literal('silent'), problem: z.string() }),
  ])
  .meta({ id: 'PlacementAnswer' })
export type PlacementAnswer = z.infer<typeof PlacementAnswer>

/** What the award went by, and what came of it as this node saw it. */
export const PlacementOutcome = z
  .strictObject({
    promised: z.strictObject({ startMs: z.number().min(0), runMs: z.number().min(0) }),
    actual: z.strictObject({ startMs: z.number().min(0), runMs: z.number().min(0) }),
  })
  .meta({ id: 'PlacementOutcome' })
export type PlacementOutcome = z.infer<typeof PlacementOutcome>

/** How an attempt came to its node: who was asked, what each answered, who got it, and whether that node kept what it promised. */
export const PlacementRecord = z
  .strictObject({
    epoch: z.int().min(1),
    at: Timestamp,
    round: z.int().min(1).default(1).describe('How often the attempt had been announced by then.'),
    messages: z.int().min(0).default(0).describe('Requests this round took: announcements, the award, releases.'),
    known: z.int().min(0).default(0).describe('Nodes known, this one among them.'),
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
    outcome: PlacementOutcome.nullable().default(null).describe('null until the attempt left a result that this node followed.'),
  })
  .meta({ id: 'PlacementRecord' })
export type PlacementRecord = z.infer<typeof PlacementRecord>
