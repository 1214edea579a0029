import * as z from 'zod'
import { JobId } from './id.ts'
import { CheckVerdict } from './result.ts'
import { FeatureName, SpecTaskId, WorkTreePath } from './spec-names.ts'
import { JobState } from './state.ts'

export const SPEC_DOCUMENT_KINDS = [
  'spec',
  'plan',
  'tasks',
  'checklist',
  'constitution',
  'research',
  'data-model',
  'quickstart',
  'other',
] as const
export const SpecDocumentKind = z.enum(SPEC_DOCUMENT_KINDS).meta({ id: 'SpecDocumentKind' })
export type SpecDocumentKind = z.infer<typeof SpecDocumentKind>

const line = z.int().min(0).describe('Line in the document, from 0.')
const path = z.string().describe('Path below the work tree, with forward slashes.')
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

export const SpecDocument = z
  .strictObject({ path, kind: SpecDocumentKind, sha256: sha256.describe('Of its bytes: the base of an edit.') })
  .meta({ id: 'SpecDocument' })
export type SpecDocument = z.infer<typeof SpecDocument>

/** One of the commands that say whether a job did its task; who asked for the job chose them. */
export const SpecJobCheck = z
  .strictObject({
    command: z.string().describe('As it would be typed; the first 200 characters.'),
    verdict: CheckVerdict,
  })
  .meta({ id: 'SpecJobCheck' })
export type SpecJobCheck = z.infer<typeof SpecJobCheck>

/** A job that says which task it is for. */
export const SpecJob = z
  .strictObject({
    jobId: JobId,
    state: JobState,
    node: z.string().nullable().describe('Where it runs, when that is not here.'),
    checks: z
      .strictObject({ green: z.int().min(0), all: z.int().min(0) })
      .describe('Acceptance commands that passed on its result, of those it had; none before it ended.'),
    commands: z.array(SpecJobCheck).describe('The first 8 of them.'),
    wording: z
      .enum(['same', 'changed', 'unknown'])
      .describe('Whether the task asks for what it asked for when the job was made. `unknown`: no such task was found then.'),
  })
  .meta({ id: 'SpecJob' })
export type SpecJob = z.infer<typeof SpecJob>

export const SpecStory = z
  .strictObject({
    id: z.string().describe('Such as `US1`.'),
    title: z.string(),
    priority: z.string().nullable().describe('Such as `P1`.'),
    path,
    line,
  })
  .meta({ id: 'SpecStory' })
export type SpecStory = z.infer<typeof SpecStory>

export const SpecTask = z
  .strictObject({
    id: SpecTaskId,
    title: z.string(),
    isDone: z.boolean().describe('Whether its box is ticked in the file.'),
    isParallel: z.boolean().describe('Marked `[P]`.'),
    story: z.string().nullable(),
    phase: z.string().nullable(),
    after: z.array(SpecTaskId).describe('Tasks it says it depends on.'),
    paths: z.array(z.string()).describe('Files it names.'),
    path,
    line,
    job: SpecJob.nullable().describe('The newest job that names it.'),
  })
  .meta({ id: 'SpecTask' })
export type SpecTask = z.infer<typeof SpecTask>

export const SpecRequirement = z
  .strictObject({
    id: z.string().describe('Such as `FR-001` or `SC-001`.'),
    text: z.string(),
    path,
    line,
    tasks: z.array(SpecTaskId).describe('Tasks that cover it: that name it, or serve a story that names it.'),
  })
  .meta({ id: 'SpecRequirement' })
export type SpecRequirement = z.infer<typeof SpecRequirement>

export const SpecCheck = z
  .strictObject({ id: z.string().nullable(), text: z.string(), isDone: z.boolean(), path, line })
  .meta({ id: 'SpecCheck', description: 'An item of a checklist, such as `CHK001`.' })
export type SpecCheck = z.infer<typeof SpecCheck>

export const SPEC_PROBLEM_CODES = [
  'duplicate-id',
  'missing-id',
  'unknown-id',
  'path-outside',
  'dependency-cycle',
  'needs-clarification',
  'requirement-without-task',
  'done-without-job',
  'too-large',
] as const
export type SpecProblemCode = (typeof SPEC_PROBLEM_CODES)[number]
export const SpecProblem = z
  .strictObject({
    code: z.enum(SPEC_PROBLEM_CODES),
    severity: z.enum(['error', 'warning', 'info', 'hint']),
    message: z.string(),
    path,
    line,
  })
  .meta({ id: 'SpecProblem' })
export type SpecProblem = z.infer<typeof SpecProblem>

const featureFields = {
  feature: FeatureName,
  title: z.string(),
  documents: z.array(SpecDocument),
  coverage: z.strictObject({
    tasks: z.int(),
    done: z.int().describe('Tasks whose box is ticked.'),
    requirements: z.int().describe('Functional requirements.'),
    covered: z.int().describe('Those of them with a task.'),
    clarifications: z.int().describe('Marks `[NEEDS CLARIFICATION]` left.'),
    problems: z.int().describe('Errors and warnings.'),
  }),
}

/** One line of a list of features. */
export const SpecFeatureSummary = z.strictObject(featureFields).meta({ id: 'SpecFeatureSummary' })
export type SpecFeatureSummary = z.infer<typeof SpecFeatureSummary>

export const SpecFeature = z
  .strictObject({
    ...featureFields,
    stories: z.array(SpecStory),
    requirements: z.array(SpecRequirement),
    criteria: z.array(SpecRequirement).describe('Success criteria.'),
    tasks: z.array(SpecTask),
    checks: z.array(SpecCheck),
    problems: z.array(SpecProblem).describe('The first 1,000.'),
  })
  .meta({ id: 'SpecFeature' })
export type SpecFeature = z.infer<typeof SpecFeature>

/** What is asked to change in one or more documents of a feature. */
export const SpecChange = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('tick'), task: SpecTaskId, done: z.boolean().default(true) }),
    z.strictObject({ kind: z.literal('rename'), from: z.string().min(1).max(64), to: z.string().min(1).max(64) }),
    z.strictObject({
      kind: z.literal('replace'),
      path,
      text: z.string().max(4_000_000).describe('The whole document as it shall be.'),
    }),
  ])
  .meta({ id: 'SpecChange' })
export type SpecChange = z.infer<typeof SpecChange>

/** One replacement. Offsets count UTF-16 code units of the document before any replacement; they do not overlap and rise. */
export const SpecTextEdit = z
  .strictObject({ start: z.int().min(0), end: z.int().min(0), text: z.string() })
  .meta({ id: 'SpecTextEdit' })
export type SpecTextEdit = z.infer<typeof SpecTextEdit>

export const SpecBase = z
  .strictObject({ path, sha256 })
  .meta({ id: 'SpecBase', description: 'The document a change was made for.' })
export type SpecBase = z.infer<typeof SpecBase>

/** The job that proves a task done, and the commands that say so. */
export const SpecEvidence = z
  .strictObject({ task: SpecTaskId, jobId: JobId, checks: SpecJob.shape.checks, commands: SpecJob.shape.commands })
  .meta({ id: 'SpecEvidence' })
export type SpecEvidence = z.infer<typeof SpecEvidence>

/** A change that waits for somebody at an editor. */
export const SpecOffer = z
  .strictObject({
    id: z.int().min(1).describe('Rises; the cursor of topic `specs`.'),
    repository: WorkTreePath,
    feature: FeatureName,
    reason: z.string().describe('Shown to the person.'),
    documents: z.array(z.strictObject({ ...SpecBase.shape, edits: z.array(SpecTextEdit) })),
    evidence: z.array(SpecEvidence).describe('What proves the tasks done whose boxes it ticks.'),
  })
  .meta({ id: 'SpecOffer' })
export type SpecOffer = z.infer<typeof SpecOffer>

/** What became of a change that was proposed. */
export const SpecEditAccepted = z
  .discriminatedUnion('status', [
    z.strictObject({ status: z.literal('offered'), offer: SpecOffer.shape.id }),
    z.strictObject({ status: z.literal('written'), branch: z.string(), commit: z.string() }),
    z.strictObject({ status: z.literal('unchanged') }),
  ])
  .meta({ id: 'SpecEditAccepted' })
export type SpecEditAccepted = z.infer<typeof SpecEditAccepted>
