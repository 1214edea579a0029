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

/** Most sandboxes of an attempt that another node is told of. */
export const MOST_PLACES = 20
const words = (most: number) => z.string().max(most).nullable()

/** A sandbox of an attempt as its node tells the job's home: no longer than a page shows. */
export const AttemptPlace = z.strictObject({
  ...Workload.omit({ jobId: true, epoch: true }).shape,
  purpose: words(40),
  reason: words(500),
  image: words(500),
  imageDigest: words(200),
  machine: words(300),
})
export type AttemptPlace = z.infer<typeof AttemptPlace>

/** What of a workload another node is told. */
export function placeOf({ jobId: _, epoch: __, ...workload }: Workload): AttemptPlace {
  const cut = (text: string | null, most: number) => text?.slice(0, most) ?? null
  const { purpose, reason, image, imageDigest, machine } = workload
  return {
    ...workload,
    purpose: cut(purpose, 40),
    reason: cut(reason, 500),
    image: cut(image, 500),
    imageDigest: cut(imageDigest, 200),
    machine: cut(machine, 300),
  }
}
