import * as z from 'zod'
import { ExecutorCapacity, ExecutorKind, IsolationLevel, JobId, JobState, Workload } from '../model/index.ts'
import { operation } from './operation.ts'

const workloadId = z
  .string()
  .max(300)
  .regex(/^[a-z]+:[A-Za-z0-9._/-]+$/)

/** An executor of this node, and what it can give now. */
const ExecutorInfo = z
  .strictObject({
    kind: ExecutorKind,
    available: z.boolean(),
    isolation: IsolationLevel.describe('What a sandbox gets that asks for no level.'),
    levels: z.array(IsolationLevel).describe('All levels it can give.'),
    version: z.string().nullable(),
    detail: z.string(),
    remedy: z.string().nullable(),
    capacity: ExecutorCapacity.nullable().describe(
      'null where it is what the machine can give, or where it could not be found out.',
    ),
  })
  .meta({ id: 'ExecutorInfo' })

/** How sandboxes are made, and those that exist. */
export const executorOperations = {
  listExecutors: () =>
    operation({
      summary: 'How this node can make sandboxes, and what each way can give now',
      method: 'GET',
      path: '/v1/executors',
      access: 'local',
      answer: { kind: 'json', schema: z.strictObject({ items: z.array(ExecutorInfo) }).meta({ id: 'ExecutorList' }) },
      status: [200],
      errors: [],
    }),
  listWorkloads: () =>
    operation({
      summary: 'Processes, containers and pods that belong to jobs, by id',
      method: 'GET',
      path: '/v1/workloads',
      access: 'local',
      query: z.strictObject({
        cursor: workloadId.optional(),
        limit: z.coerce.number().int().min(1).max(200).default(50),
        jobId: JobId.optional().describe('Only those of this job.'),
      }),
      answer: {
        kind: 'json',
        schema: z
          .strictObject({
            items: z.array(Workload),
            nextCursor: z.string().nullable(),
            unreachable: z
              .array(z.strictObject({ executor: ExecutorKind, reason: z.string() }))
              .describe('Executors that could not say what they run.'),
            elsewhere: z
              .strictObject({
                node: z.string().describe('Name of the node that runs it.'),
                items: z.array(Workload),
                problem: z.string().nullable().describe('Why that node could not say what it runs.'),
              })
              .nullable()
              .describe('With `jobId`, where an attempt of the job runs on another node: what there is of it there.'),
          })
          .meta({ id: 'WorkloadPage' }),
      },
      status: [200],
      errors: [],
    }),
  evictWorkload: () =>
    operation({
      summary: 'Free the place of a workload: its attempt is lost, and its job is placed again',
      method: 'POST',
      path: '/v1/workloads/:id/evict',
      access: 'local',
      role: 'runner',
      params: z.strictObject({ id: workloadId }),
      answer: { kind: 'json', schema: z.strictObject({ jobId: JobId, status: JobState.nullable() }).meta({ id: 'Evicted' }) },
      status: [202],
      errors: ['not_found'],
    }),
}
