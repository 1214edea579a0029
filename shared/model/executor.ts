import * as z from 'zod'
import { ExecutorKind } from './executor-kind.ts'
import { Timestamp } from './id.ts'
import { IsolationLevel } from './isolation.ts'

/** What an executor can give now, beyond what runs already. */
export const ExecutorCapacity = z
  .strictObject({
    cpuCores: z.number().min(0).describe('Processors that nothing has asked for.'),
    memoryBytes: z.int().min(0).describe('Memory that nothing has asked for.'),
    gpuCount: z.int().min(0),
    places: z.int().min(0).describe('Sandboxes of the default size that would start at once.'),
    images: z.array(z.string().max(512)).max(1000).describe('Images that are there already.'),
    full: z.string().nullable().describe('Why nothing more fits, for people; null when something does.'),
  })
  .meta({ id: 'ExecutorCapacity' })
export type ExecutorCapacity = z.infer<typeof ExecutorCapacity>

const WorkloadState = z.enum(['pending', 'running', 'ended'])

/** One sandbox that exists: a process group, a container or a pod. */
export const Workload = z
  .strictObject({
    id: z.string().max(300).describe('`<executor>:<name>`, unique on this node.'),
    executor: ExecutorKind,
    jobId: z.string().nullable(),
    epoch: z.int().min(0).nullable(),
    purpose: z.string().nullable().describe('`base`, `agent` or `result`.'),
    state: WorkloadState,
    reason: z.string().nullable().describe('Why it is pending or ended, in words.'),
    isolation: IsolationLevel,
    image: z.string().nullable(),
    imageDigest: z.string().nullable(),
    machine: z.string().nullable().describe('Node of the cluster, where there is one.'),
    startedAt: Timestamp.nullable(),
    cpuMs: z.int().min(0).nullable().describe('Processor time used so far.'),
    memoryBytes: z.int().min(0).nullable(),
    memoryLimitBytes: z.int().min(0).nullable(),
  })
  .meta({ id: 'Workload' })
export type Workload = z.infer<typeof Workload>
