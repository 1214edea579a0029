import * as z from 'zod'
import { AllowedHost } from './allowed-host.ts'
import { CommandLine } from './command.ts'
import { Disconnect } from './disconnect.ts'
import { JobId, Timestamp } from './id.ts'
import { ImageReference } from './image.ts'
import { IsolationLevel } from './isolation.ts'
import { Limits, Timeouts } from './limits.ts'
import { since } from './protocol.ts'
import { Result } from './result.ts'
import { SpecTaskRef } from './spec-names.ts'
import { JobState } from './state.ts'
import { Where } from './where.ts'

/** Where the work starts: a git repository on this node's machine and what of it to take. */
export const RepositoryRef = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .max(4096)
      .refine(path => !path.includes('\0'), 'must not contain a NUL byte')
      .describe('Absolute path of the work tree.'),
    include: z
      .enum(['head', 'changes'])
      .default('head')
      .describe('`head`: the commit only. `changes`: staged, unstaged and untracked files too.'),
  })
  .meta({ id: 'RepositoryRef' })
export type RepositoryRef = z.infer<typeof RepositoryRef>

export const PermissionPolicy = z.enum(['allow', 'ask', 'deny']).meta({
  id: 'PermissionPolicy',
  description: 'What answers an agent that asks for permission: always yes, a person, always no.',
})
export type PermissionPolicy = z.infer<typeof PermissionPolicy>

/** A file name inside an environment: what POSIX shells accept as a variable. */
const EnvironmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/)

const jobFields = {
  task: z.string().max(200_000).default('').describe('What to do, in words; the prompt of the agent.'),
  agent: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/)
    .default('auto')
    .describe('Id of an agent, or `auto`: the first usable one.'),
  argv: CommandLine.optional().describe('The program to run; agent `command` only.'),
  model: z.string().min(1).max(200).optional().describe('Model name as `GET /v1/models` lists it; default: the first one.'),
  repository: RepositoryRef.optional().describe('Without one, the job runs in an empty directory.'),
  setup: z
    .array(CommandLine)
    .max(16)
    .default([])
    .describe('Commands run first in every fresh sandbox, such as installing dependencies.'),
  checks: z.array(CommandLine).max(32).default([]).describe('Commands that must exit 0 on the result commit.'),
  executor: z
    .union([z.enum(['process']), since(4, z.enum(['auto', 'container', 'kubernetes']))], {
      error: 'must be auto, process, container or kubernetes',
    })
    .default('auto')
    .describe(
      'How its sandboxes are made; `auto`: as lightly as image, isolation and gpus allow, on each node with what it has.',
    ),
  image: since(4, ImageReference.optional().describe('What its sandboxes start from; default: what the executor is set to.')),
  isolation: since(
    4,
    IsolationLevel.exclude(['none']).optional().describe('The least that keeps it in; default: what the executor gives.'),
  ),
  gpus: since(4, z.int().min(1).max(64).optional().describe('Graphics processors each of its sandboxes is given.')),
  sandbox: z
    .enum(['required', 'none'])
    .default('required')
    .describe('`none` runs with the rights of the orchestrator; recorded in the result.'),
  permissions: PermissionPolicy.default('allow'),
  priority: z.int().min(-100).max(100).default(0).describe('Higher runs first.'),
  maxAttempts: z
    .int()
    .min(1)
    .max(1000)
    .default(5)
    .describe('Attempts lost to crashes or to nodes that were not heard of any more, before the job fails.'),
  disconnect: since(
    2,
    Disconnect.optional().describe('What becomes of an attempt on a node that is not heard of any more; default: replace.'),
  ),
  timeouts: Timeouts.partial().default({}),
  limits: Limits.partial().default({}),
  network: z.strictObject({ allow: z.array(AllowedHost).max(64).default([]) }).default({ allow: [] }),
  env: z
    .record(
      EnvironmentName,
      z
        .string()
        .max(32_768)
        .refine(value => !value.includes('\0'), 'must not contain a NUL byte'),
    )
    .default({}),
  labels: z.record(z.string().min(1).max(63), z.string().max(255)).default({}),
  where: Where.prefault({}),
  spec: since(3, SpecTaskRef.optional().describe('The task of a spec that it is for; shown with that task, and no more.')),
}

/** What no executor could do, whatever a node has. */
function misfits(spec: {
  executor: string
  sandbox: string
  image?: string | undefined
  isolation?: string | undefined
  gpus?: number | undefined
}): [field: string, message: string][] {
  const { executor, sandbox, image, isolation, gpus } = spec
  const found: [string, string][] = []
  const plain = sandbox === 'none' ? 'a job without a sandbox' : executor === 'process' ? 'executor "process"' : null
  if (plain && image !== undefined) found.push(['image', `${plain} starts from no image; executors container and kubernetes do`])
  if (plain && gpus !== undefined) found.push(['gpus', `${plain} is given no GPUs; ask for a node that has one by where.gpu`])
  if (sandbox === 'none' && isolation !== undefined) found.push(['isolation', 'a job without a sandbox is kept from nothing'])
  if (sandbox === 'none' && executor !== 'auto' && executor !== 'process')
    found.push(['executor', `${executor} always makes a sandbox; leave the executor out`])
  if (executor === 'process' && sandbox !== 'none' && isolation !== undefined && isolation !== 'process')
    found.push(['isolation', `executor "process" does not give ${isolation}; leave the executor out, or name another`])
  return found
}

/** What a person asks for: the body of `POST /v1/jobs`. */
export const JobSpec = z
  .strictObject(jobFields)
  .superRefine((spec, context) => {
    if (spec.agent === 'command' && !spec.argv)
      context.addIssue({ code: 'custom', path: ['argv'], message: 'agent "command" needs the program to run' })
    if (spec.agent !== 'command' && spec.argv)
      context.addIssue({ code: 'custom', path: ['argv'], message: 'only agent "command" takes a program' })
    if (spec.agent !== 'command' && spec.task.trim() === '')
      context.addIssue({ code: 'custom', path: ['task'], message: 'say what the agent is to do' })
    for (const [field, message] of misfits(spec)) context.addIssue({ code: 'custom', path: [field], message })
    if (!spec.repository && spec.checks.length > 0)
      context.addIssue({ code: 'custom', path: ['checks'], message: 'checks run on a result commit, so they need a repository' })
  })
  .meta({ id: 'JobSpec' })
export type JobSpec = z.infer<typeof JobSpec>
export type JobRequest = z.input<typeof JobSpec>

/** Why a job or an attempt did not succeed. */
const FAILURE_CODES = [
  'agent_failed',
  'agent_missing',
  'agent_protocol',
  'check_failed',
  'setup_failed',
  'queue_timeout',
  'run_timeout',
  'check_timeout',
  'silence_timeout',
  'attempts_exhausted',
  'limit_memory',
  'limit_cpu',
  'limit_disk',
  'sandbox_unavailable',
  'sandbox_failed',
  'snapshot_failed',
  'snapshot_missing',
  'unsafe_path',
  'secret_in_result',
  'result_too_large',
  'result_refused',
  'model_unavailable',
  'lost',
  'internal',
] as const
/** Of executors that start from images, and in places that others manage. */
const FAILURE_CODES_OF_IMAGES = ['image_unavailable', 'image_unsuitable', 'quota_exceeded'] as const
export const Failure = z
  .strictObject({
    code: z.union([z.enum(FAILURE_CODES), since(4, z.enum(FAILURE_CODES_OF_IMAGES))]),
    detail: z.string(),
    remedy: z.string().optional(),
  })
  .meta({ id: 'Failure', description: 'What happened, why, and what to do.' })
export type Failure = z.infer<typeof Failure>
export type FailureCode = Failure['code']

/** The commit a job starts from, as it is kept in the node's own repository cache. */
export const Snapshot = z
  .strictObject({
    commit: z.string(),
    base: z.string().nullable().describe('HEAD when the snapshot was taken; null in a repository without commits.'),
    dirty: z.boolean().describe('Whether uncommitted changes are part of it.'),
    repositoryId: z.string().describe('Name of the repository cache on the node.'),
    branch: z.string().nullable(),
  })
  .meta({ id: 'Snapshot' })
export type Snapshot = z.infer<typeof Snapshot>

/** A job as the API shows it. */
export const Job = z
  .strictObject({
    id: JobId,
    state: JobState,
    epoch: z.int().min(0).describe('Number of the current attempt; 0 before the first. The fencing token.'),
    title: z.string(),
    spec: JobSpec,
    snapshot: Snapshot.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    startedAt: Timestamp.nullable(),
    endedAt: Timestamp.nullable(),
    cancelRequested: z.boolean(),
    retryOf: JobId.nullable(),
    failure: Failure.nullable(),
    result: Result.nullable(),
  })
  .meta({ id: 'Job' })
export type Job = z.infer<typeof Job>

/** One line of a job list: a job without its long parts. */
export const JobSummary = Job.pick({
  id: true,
  state: true,
  epoch: true,
  title: true,
  createdAt: true,
  updatedAt: true,
  startedAt: true,
  endedAt: true,
  failure: true,
})
  .extend({ agent: z.string(), priority: z.int(), repository: z.string().nullable(), spec: SpecTaskRef.nullable() })
  .meta({ id: 'JobSummary' })
export type JobSummary = z.infer<typeof JobSummary>
