import * as z from 'zod'

/** What of the API server's answers is read here. Everything else in them is let through unseen. */

const Meta = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string().default(''),
  resourceVersion: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  ownerReferences: z.array(z.object({ kind: z.string(), uid: z.string() })).default([]),
})

const Condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
})

const Resources = z.object({
  requests: z.record(z.string(), z.string()).default({}),
  limits: z.record(z.string(), z.string()).default({}),
})

const Container = z.object({ name: z.string(), image: z.string().optional(), resources: Resources.prefault({}) })

const Waiting = z.object({ reason: z.string().optional(), message: z.string().optional() })
const Terminated = z.object({
  exitCode: z.int(),
  signal: z.int().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
})

const ContainerState = z.object({
  waiting: Waiting.optional(),
  running: z.object({ startedAt: z.string().nullish() }).optional(),
  terminated: Terminated.optional(),
})

const ContainerStatus = z.object({
  name: z.string(),
  image: z.string().optional(),
  imageID: z.string().default(''),
  state: ContainerState.prefault({}),
  lastState: ContainerState.prefault({}),
})

export const Pod = z.object({
  metadata: Meta,
  spec: z
    .object({
      nodeName: z.string().optional(),
      containers: z.array(Container).default([]),
      initContainers: z.array(Container).default([]),
      overhead: z.record(z.string(), z.string()).default({}),
    })
    .prefault({}),
  status: z
    .object({
      phase: z.string().default('Pending'),
      reason: z.string().optional(),
      message: z.string().optional(),
      startTime: z.string().optional(),
      conditions: z.array(Condition).default([]),
      containerStatuses: z.array(ContainerStatus).default([]),
    })
    .prefault({}),
})
export type Pod = z.infer<typeof Pod>

export const Job = z.object({
  metadata: Meta,
  spec: z.object({ suspend: z.boolean().optional() }).prefault({}),
  status: z.object({ conditions: z.array(Condition).default([]) }).prefault({}),
})
export type Job = z.infer<typeof Job>

/** Of `core/v1`: what the cluster tells of an object. */
export const ClusterEvent = z.object({
  metadata: Meta,
  involvedObject: z.object({ kind: z.string().optional(), name: z.string().optional(), uid: z.string().optional() }),
  type: z.string().optional(),
  reason: z.string().default(''),
  message: z.string().default(''),
})
export type ClusterEvent = z.infer<typeof ClusterEvent>

const Taint = z.object({ key: z.string(), value: z.string().default(''), effect: z.string() })

export const Machine = z.object({
  metadata: Meta,
  spec: z.object({ unschedulable: z.boolean().optional(), taints: z.array(Taint).default([]) }).prefault({}),
  status: z
    .object({
      allocatable: z.record(z.string(), z.string()).default({}),
      conditions: z.array(Condition).default([]),
      images: z.array(z.object({ names: z.array(z.string()).nullish() })).default([]),
      addresses: z.array(z.object({ type: z.string(), address: z.string() })).default([]),
    })
    .prefault({}),
})
export type Machine = z.infer<typeof Machine>

export const Quota = z.object({
  metadata: Meta,
  status: z
    .object({ hard: z.record(z.string(), z.string()).default({}), used: z.record(z.string(), z.string()).default({}) })
    .prefault({}),
})
export type Quota = z.infer<typeof Quota>

/** What the API server says of a request that it refused. */
export const Status = z.object({
  kind: z.literal('Status'),
  reason: z.string().default(''),
  message: z.string().default(''),
  code: z.int().optional(),
})

/** What a text says; null when it is no JSON, which no schema here takes. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A list, or a page of one. What of it is not of the shape is refused as a whole: it is the API server's word. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    metadata: z.object({ resourceVersion: z.string().default(''), continue: z.string().optional() }).prefault({}),
    items: z.array(item).default([]),
  })
