import * as z from 'zod'
import { CommandLine } from './command.ts'
import { UsedImage } from './image.ts'
import { IsolationLevel } from './isolation.ts'
import { since } from './protocol.ts'
import { Usage } from './usage.ts'

/** One run of one check, with where its output stands in the job's log. */
export const CheckRun = z
  .strictObject({
    exitCode: z.int().nullable().describe('null when it was ended by a signal, a limit or a timeout.'),
    ended: z.enum(['exit', 'signal', 'timeout', 'limit']),
    durationMs: z.int().min(0),
    logOffset: z.int().min(0),
    logBytes: z.int().min(0),
    logSha256: z.string(),
  })
  .meta({ id: 'CheckRun' })
export type CheckRun = z.infer<typeof CheckRun>

/** What a check says before and after: `fixed` is red then green, `vacuous` was green before and proves little. */
export const CheckVerdict = z.enum(['fixed', 'vacuous', 'red', 'broken']).meta({
  id: 'CheckVerdict',
  description:
    'fixed: red before, green after. vacuous: green before and after. red: red before and after. broken: green before, red after.',
})
export type CheckVerdict = z.infer<typeof CheckVerdict>

export const Check = z
  .strictObject({ argv: CommandLine, verdict: CheckVerdict, base: CheckRun, result: CheckRun })
  .meta({ id: 'Check' })
export type Check = z.infer<typeof Check>

export const FileChange = z
  .strictObject({
    path: z.string(),
    oldPath: z.string().nullable().describe('Set when the file was renamed or copied.'),
    status: z.enum(['added', 'modified', 'deleted', 'renamed', 'copied', 'type-changed']),
    insertions: z.int().nullable().describe('null for a binary file'),
    deletions: z.int().nullable(),
  })
  .meta({ id: 'FileChange' })
export type FileChange = z.infer<typeof FileChange>

export const DiffStat = z
  .strictObject({
    files: z.int().min(0),
    insertions: z.int().min(0),
    deletions: z.int().min(0),
    changes: z.array(FileChange).describe('The first 1,000 changed files.'),
  })
  .meta({ id: 'DiffStat' })
export type DiffStat = z.infer<typeof DiffStat>

/** The outcome of the one accepted attempt, and what makes it believable. */
export const Result = z
  .strictObject({
    epoch: z.int().min(1),
    snapshot: z.string().nullable().describe('Commit the attempt started from.'),
    commit: z.string().nullable().describe('Commit with the changes; null when nothing was changed.'),
    ref: z.string().nullable().describe('Where the commit is in the repository of the person who asked, once it is there.'),
    diffStat: DiffStat,
    checks: z.array(Check),
    exitCode: z.int().nullable().describe('Exit code of agent `command`; null for others.'),
    usage: Usage,
    durations: z.strictObject({ queueMs: z.int(), prepareMs: z.int(), runMs: z.int(), checkMs: z.int() }),
    executor: z.string(),
    isolation: IsolationLevel.describe('What the attempt really got.'),
    image: since(6, UsedImage.optional().describe('What the agent ran in, where that was an image and its node said which.')),
    agent: z.strictObject({ id: z.string(), version: z.string().nullable() }),
    model: z.string().nullable(),
    logBytes: z.int().min(0),
    warnings: z.array(z.strictObject({ code: z.string(), detail: z.string() })),
  })
  .meta({ id: 'Result' })
export type Result = z.infer<typeof Result>

export const Artifact = z
  .strictObject({ name: z.string(), mediaType: z.string(), bytes: z.int().min(0), sha256: z.string(), href: z.string() })
  .meta({ id: 'Artifact' })
export type Artifact = z.infer<typeof Artifact>
