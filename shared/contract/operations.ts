import * as z from 'zod'
import {
  AgentInfo,
  Artifact,
  FeatureName,
  Health,
  Job,
  JobEvent,
  JobId,
  JobSpec,
  JobState,
  JobSummary,
  ModelInfo,
  PruneReport,
  Result,
} from '../model/index.ts'
import { executorOperations } from './executor-operations.ts'
import { fleetOperations } from './fleet-operations.ts'
import { modelOperations } from './model-operations.ts'
import { ChatRequest, EmbeddingRequest } from './openai.ts'
import { madeWhenAsked, operation } from './operation.ts'
import { peerOperations } from './peer-operations.ts'
import { specOperations } from './spec-operations.ts'

const jobParams = z.strictObject({ id: JobId })
const count = (max: number, fallback: number) => z.coerce.number().int().min(1).max(max).default(fallback)
const offset = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const idempotency = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .regex(/^[\x21-\x7e]+$/)
    .optional(),
})
const page = <T extends z.ZodType>(item: T) => z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() })

const JobAccepted = z.strictObject({ jobId: JobId, status: JobState }).meta({ id: 'JobAccepted' })

/** The verbs of the API. Validation, OpenAPI and the typed client come from this table and from nothing else. */
export const operations = madeWhenAsked({
  health: () =>
    operation({
      summary: 'Whether the process lives, and what the machine can give',
      method: 'GET',
      path: '/health',
      access: 'open',
      answer: { kind: 'json', schema: Health },
      status: [200],
      errors: [],
    }),
  ready: () =>
    operation({
      summary: 'Whether recovery is done and jobs are accepted',
      method: 'GET',
      path: '/ready',
      access: 'open',
      answer: { kind: 'json', schema: z.strictObject({ ready: z.boolean() }) },
      status: [200],
      errors: ['not_ready'],
    }),
  openapi: () =>
    operation({
      summary: 'This API as an OpenAPI 3.1 document',
      method: 'GET',
      path: '/openapi.json',
      access: 'open',
      answer: { kind: 'json', schema: z.looseObject({ openapi: z.string() }) },
      status: [200],
      errors: [],
    }),
  metrics: () =>
    operation({
      summary: 'Figures of this node, in the text format of Prometheus',
      method: 'GET',
      path: '/metrics',
      access: 'local',
      answer: { kind: 'bytes', mediaType: 'text/plain; version=0.0.4; charset=utf-8' },
      status: [200],
      errors: [],
    }),
  createJob: () =>
    operation({
      summary: 'Accept a job; when this answers, it is on disk',
      method: 'POST',
      path: '/v1/jobs',
      access: 'local',
      role: 'runner',
      headers: idempotency,
      body: JobSpec,
      answer: { kind: 'json', schema: JobAccepted },
      status: [202, 200],
      errors: [
        'idempotency_conflict',
        'snapshot_failed',
        'sandbox_unavailable',
        'agent_missing',
        'secret_in_request',
        'out_of_space',
        'not_ready',
        'forbidden',
      ],
    }),
  listJobs: () =>
    operation({
      summary: 'Jobs, newest first',
      method: 'GET',
      path: '/v1/jobs',
      access: 'local',
      query: z.strictObject({
        cursor: z.string().max(200).optional(),
        limit: count(200, 50),
        state: JobState.optional(),
        active: z.stringbool().optional(),
        spec: FeatureName.optional().describe('Only jobs for a task of this feature.'),
        repository: z
          .string()
          .min(1)
          .max(4096)
          .optional()
          .describe('With `spec`: only those of this work tree, named as the jobs name it.'),
      }),
      answer: { kind: 'json', schema: page(JobSummary).meta({ id: 'JobPage' }) },
      status: [200],
      errors: [],
    }),
  listJobSpecs: () =>
    operation({
      summary: 'Features that jobs are for, each of a work tree, in the order of their names',
      method: 'GET',
      path: '/v1/job-specs',
      access: 'local',
      query: z.strictObject({ cursor: z.string().max(8000).optional(), limit: count(1000, 200) }),
      answer: {
        kind: 'json',
        schema: page(
          z.strictObject({
            feature: FeatureName,
            repository: z.string().describe('The work tree, named as the jobs name it.'),
            jobs: z.int().min(0).describe('How many jobs are for its tasks, whatever became of them.'),
          }),
        ).meta({ id: 'JobSpecPage' }),
      },
      status: [200],
      errors: [],
    }),
  getJob: () =>
    operation({
      summary: 'One job',
      method: 'GET',
      path: '/v1/jobs/:id',
      access: 'local',
      params: jobParams,
      answer: { kind: 'json', schema: Job },
      status: [200],
      errors: ['not_found'],
    }),
  cancelJob: () =>
    operation({
      summary: 'Ask a job to end; it ends within its grace time',
      method: 'POST',
      path: '/v1/jobs/:id/cancel',
      access: 'local',
      role: 'runner',
      params: jobParams,
      answer: { kind: 'json', schema: JobAccepted },
      status: [202],
      errors: ['not_found', 'already_ended'],
    }),
  retryJob: () =>
    operation({
      summary: 'A new job with the same request and the same snapshot',
      method: 'POST',
      path: '/v1/jobs/:id/retry',
      access: 'local',
      role: 'runner',
      params: jobParams,
      headers: idempotency,
      answer: { kind: 'json', schema: JobAccepted },
      status: [202, 200],
      errors: ['not_found', 'not_ended', 'idempotency_conflict', 'out_of_space', 'not_ready'],
    }),
  listEvents: () =>
    operation({
      summary: 'Events of a job: a page, or a stream with `Accept: text/event-stream` (resumes by Last-Event-ID)',
      method: 'GET',
      path: '/v1/jobs/:id/events',
      access: 'local',
      params: jobParams,
      query: z.strictObject({
        after: offset.default(0).describe('Number `n` of the last event already seen.'),
        limit: count(1000, 200),
      }),
      headers: z.object({ 'last-event-id': offset.optional() }),
      answer: { kind: 'events', schema: page(JobEvent).meta({ id: 'EventPage' }), item: JobEvent },
      status: [200],
      errors: ['not_found'],
    }),
  readLog: () =>
    operation({
      summary: 'Bytes of a job’s log from an offset; header Skein-Log-Size tells how long it is now',
      method: 'GET',
      path: '/v1/jobs/:id/logs',
      access: 'local',
      params: jobParams,
      query: z.strictObject({ offset: offset.default(0), limit: count(64 * 1024 * 1024, 8 * 1024 * 1024) }),
      answer: { kind: 'bytes', mediaType: 'application/octet-stream' },
      status: [200],
      errors: ['not_found', 'offset_out_of_range'],
    }),
  getResult: () =>
    operation({
      summary: 'The accepted result',
      method: 'GET',
      path: '/v1/jobs/:id/result',
      access: 'local',
      params: jobParams,
      answer: { kind: 'json', schema: Result },
      status: [200],
      errors: ['not_found', 'no_result'],
    }),
  getDiff: () =>
    operation({
      summary: 'The result as a git patch (binary files included)',
      method: 'GET',
      path: '/v1/jobs/:id/diff',
      access: 'local',
      params: jobParams,
      answer: { kind: 'bytes', mediaType: 'text/x-diff' },
      status: [200],
      errors: ['not_found', 'no_result'],
    }),
  listArtifacts: () =>
    operation({
      summary: 'Files that belong to the result',
      method: 'GET',
      path: '/v1/jobs/:id/artifacts',
      access: 'local',
      params: jobParams,
      answer: { kind: 'json', schema: z.strictObject({ items: z.array(Artifact) }).meta({ id: 'ArtifactList' }) },
      status: [200],
      errors: ['not_found', 'no_result'],
    }),
  getArtifact: () =>
    operation({
      summary: 'One of those files',
      method: 'GET',
      path: '/v1/jobs/:id/artifacts/:name',
      access: 'local',
      params: z.strictObject({ id: JobId, name: z.enum(['result.bundle', 'result.patch', 'result.json', 'log.txt']) }),
      answer: { kind: 'bytes', mediaType: 'application/octet-stream' },
      status: [200],
      errors: ['not_found', 'no_result'],
    }),
  answerPermission: () =>
    operation({
      summary: 'Answer a permission request of the agent',
      method: 'POST',
      path: '/v1/jobs/:id/permissions/:requestId',
      access: 'local',
      role: 'runner',
      params: z.strictObject({ id: JobId, requestId: z.string().min(1).max(100) }),
      body: z.strictObject({ optionId: z.string().min(1).max(200).describe('One of the options of the request.') }),
      answer: { kind: 'json', schema: z.strictObject({ answered: z.boolean() }) },
      status: [200],
      errors: ['not_found', 'already_answered'],
    }),
  listAgents: () =>
    operation({
      summary: 'Agents this node knows, and whether it can run them',
      method: 'GET',
      path: '/v1/agents',
      access: 'local',
      answer: { kind: 'json', schema: z.strictObject({ items: z.array(AgentInfo) }).meta({ id: 'AgentList' }) },
      status: [200],
      errors: [],
    }),
  prune: () =>
    operation({
      summary: 'Remove ended jobs by age and size',
      method: 'POST',
      path: '/v1/prune',
      access: 'local',
      body: z.strictObject({
        olderThanMs: z.int().min(0).optional(),
        keepBytes: z.int().min(0).optional(),
        dryRun: z.boolean().default(false),
      }),
      answer: { kind: 'json', schema: PruneReport },
      status: [200],
      errors: [],
    }),
  listModels: () =>
    operation({
      summary: 'Models of all providers, in OpenAI’s format',
      method: 'GET',
      path: '/v1/models',
      access: 'job',
      answer: {
        kind: 'json',
        schema: z.strictObject({ object: z.literal('list'), data: z.array(ModelInfo) }).meta({ id: 'ModelList' }),
      },
      status: [200],
      errors: [],
    }),
  chat: () =>
    operation({
      summary: 'Chat completion, in OpenAI’s format, streaming and tools included',
      method: 'POST',
      path: '/v1/chat/completions',
      access: 'job',
      role: 'runner',
      body: ChatRequest,
      answer: { kind: 'openai' },
      status: [200],
      errors: ['unknown_model', 'provider_failed'],
    }),
  embed: () =>
    operation({
      summary: 'Embeddings, in OpenAI’s format',
      method: 'POST',
      path: '/v1/embeddings',
      access: 'job',
      role: 'runner',
      body: EmbeddingRequest,
      answer: { kind: 'openai' },
      status: [200],
      errors: ['unknown_model', 'provider_failed'],
    }),
  ...executorOperations,
  ...fleetOperations,
  ...specOperations,
  ...modelOperations,
  ...peerOperations,
})

export type Operations = typeof operations
export type OperationName = keyof Operations
export const operationNames = Object.keys(operations) as OperationName[]
