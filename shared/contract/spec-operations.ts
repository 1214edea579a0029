import * as z from 'zod'
import {
  FeatureName,
  SpecBase,
  SpecChange,
  SpecEditAccepted,
  SpecFeature,
  SpecFeatureSummary,
  SpecOffer,
  WorkTreePath,
} from '../model/index.ts'
import { operation } from './operation.ts'

const offerParams = z.strictObject({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) })

/** Spec Kit's documents, as they are in a work tree of this machine. */
export const specOperations = {
  listSpecs: () =>
    operation({
      summary: 'Features of a repository: their documents, and how far they are',
      method: 'GET',
      path: '/v1/specs',
      access: 'local',
      role: 'runner',
      query: z.strictObject({ repository: WorkTreePath }),
      answer: {
        kind: 'json',
        schema: z
          .strictObject({
            items: z.array(SpecFeatureSummary),
            isComplete: z.boolean().describe('False when there are more features than are read.'),
          })
          .meta({ id: 'SpecFeatureList' }),
      },
      status: [200],
      errors: ['not_found'],
    }),
  getSpec: () =>
    operation({
      summary: 'One feature: stories, requirements, tasks with their state in the file and by their jobs, and what is wrong',
      method: 'GET',
      path: '/v1/specs/:feature',
      access: 'local',
      role: 'runner',
      params: z.strictObject({ feature: FeatureName }),
      query: z.strictObject({ repository: WorkTreePath }),
      answer: { kind: 'json', schema: SpecFeature },
      status: [200],
      errors: ['not_found'],
    }),
  editSpec: () =>
    operation({
      summary: 'Propose a change: to whoever has the repository open in an editor, else on a branch; never in the work tree',
      method: 'POST',
      path: '/v1/specs/:feature/edits',
      access: 'local',
      params: z.strictObject({ feature: FeatureName }),
      body: z.strictObject({
        repository: WorkTreePath,
        reason: z.string().min(1).max(500).describe('Shown to the person, and the message of the commit.'),
        bases: z.array(SpecBase).min(1).max(100).describe('Every document that changes, as it was when the change was made up.'),
        change: SpecChange,
      }),
      answer: {
        kind: 'json',
        schema: SpecEditAccepted,
      },
      status: [202, 201, 200],
      errors: ['not_found', 'base_moved', 'edit_refused', 'no_evidence', 'snapshot_failed', 'too_many_requests'],
    }),
  getSpecOffer: () =>
    operation({
      summary: 'What became of a change that was offered; it is kept for an hour',
      method: 'GET',
      path: '/v1/spec-offers/:id',
      access: 'local',
      params: offerParams,
      answer: {
        kind: 'json',
        schema: z
          .strictObject({
            offer: SpecOffer,
            outcome: z.enum(['open', 'applied', 'refused']),
            detail: z.string().nullable().describe('Why it was refused.'),
          })
          .meta({ id: 'SpecOfferState' }),
      },
      status: [200],
      errors: ['not_found'],
    }),
  answerSpecOffer: () =>
    operation({
      summary: 'Say what the person at the editor did with it',
      method: 'POST',
      path: '/v1/spec-offers/:id',
      access: 'local',
      params: offerParams,
      body: z.strictObject({ outcome: z.enum(['applied', 'refused']), detail: z.string().max(1000).nullable().default(null) }),
      answer: { kind: 'json', schema: z.strictObject({ ok: z.literal(true) }) },
      status: [200],
      errors: ['not_found', 'already_answered'],
    }),
} as const
