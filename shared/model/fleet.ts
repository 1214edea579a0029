import * as z from 'zod'
import { Card } from './card.ts'
import { EventBody } from './event.ts'
import { JobId, Timestamp } from './id.ts'
import { ImageReference } from './image.ts'
import { IsolationLevel } from './isolation.ts'
import { Failure, JobSpec, Snapshot } from './job.ts'
import { ModelPolicy } from './model-policy.ts'
import { PowerSource } from './node.ts'
import { NodeId } from './node-id.ts'
import { since } from './protocol.ts'
import { Result } from './result.ts'
import { JobState } from './state.ts'
import { Where } from './where.ts'

/** A peer as the API shows it. */
export const Peer = z
  .strictObject({
    id: NodeId,
    name: z.string(),
    address: z.string().describe('Where it is asked.'),
    source: z.enum(['paired', 'tailnet', 'listed']).describe('How it came to be known.'),
    state: z.enum(['online', 'offline']),
    runsOurs: z.boolean().describe('Whether jobs of this node are offered to it.'),
    weRunTheirs: z.boolean().describe('Whether this node takes jobs of it.'),
    card: Card.nullable(),
    lastSeenAt: Timestamp.nullable(),
    problem: z.string().nullable().describe('Why it is offline, or not trusted any more.'),
  })
  .meta({ id: 'Peer' })
export type Peer = z.infer<typeof Peer>

const modelName = z.string().max(200)

/** What a node is told to bid on: enough to judge, nothing of the work itself. */
export const Announcement = z
  .strictObject({
    jobId: JobId,
    epoch: z.int().min(1),
    agent: z.string().max(40),
    executor: z.string().max(40),
    isolation: since(4, IsolationLevel.optional().describe('The least it needs; default: what the executor gives.')),
    image: since(4, ImageReference.optional()),
    gpus: since(4, z.int().min(1).max(64).optional()),
    model: modelName.nullable(),
    models: since(
      2,
      z
        .strictObject({ policy: ModelPolicy, atHome: z.boolean().describe('Whether the home has the model.') })
        .default({ policy: 'worker-only', atHome: false }),
    ),
    labels: Where.shape.labels,
    gpu: z.boolean(),
    setup: since(2, z.boolean().default(false).describe('Whether commands install what the work needs before it starts.')),
    repository: z
      .strictObject({ id: z.string().max(64), commit: z.string().max(64), base: z.string().max(64).nullable() })
      .nullable(),
  })
  .meta({ id: 'Announcement' })
export type Announcement = z.infer<typeof Announcement>

const ms = z.number().min(0)

/** Median and 90th percentile, ms. */
export const Quantiles = z.strictObject({ p50: z.number().min(0), p90: z.number().min(0) }).meta({ id: 'Quantiles' })
export type Quantiles = z.infer<typeof Quantiles>

/** What a bidder promises. Times are estimates from its own history. */
export const Terms = z
  .strictObject({
    startMs: z.number().min(0).describe('Until the attempt should start, ms, median: 0 where a slot is there.'),
    start90Ms: since(2, ms.nullable().default(null).describe('The same, 90th percentile.')),
    waitsBehind: since(2, z.int().min(0).default(0).describe('Attempts that must end before it starts.')),
    runMs: Quantiles.nullable().describe('How long attempts of this class took here; null without history.'),
    finishMs: since(2, Quantiles.nullable().default(null).describe('Until it should be done; null without history.')),
    modelLoaded: z.boolean(),
    modelLocal: since(
      2,
      z.boolean().default(true).describe('Whether the model of the job, if it names one, answers at the bidder itself.'),
    ),
    repositoryCached: z.boolean(),
    dependencyCached: since(
      2,
      z
        .boolean()
        .default(true)
        .describe('Whether the work can start without installing anything: the job has no setup, or a sandbox keeps it.'),
    ),
    imageCached: since(
      4,
      z
        .boolean()
        .default(true)
        .describe('Whether the image of the job, if it names one, is there; true where that is not known.'),
    ),
    haves: z.array(z.string().max(64)).max(16).describe('Commits of the repository it has already.'),
    executor: z.string().max(40),
    isolation: IsolationLevel,
    load: z.number().min(0).max(1).describe('Share of its slots in use, this reservation not counted.'),
    loadPerCore: since(
      2,
      z.number().min(0).nullable().default(null).describe('Programs that want to run, a core; null where unknown.'),
    ),
    power: since(2, PowerSource.default('unknown')),
    price: since(
      2,
      z.number().min(0).nullable().default(null).describe('An hour, in whatever its owner counts; null: for nothing.'),
    ),
  })
  .meta({ id: 'Terms' })
export type Terms = z.infer<typeof Terms>

/** The answer to an announcement: capacity reserved for `ttlMs`, or why not. A transient no may be a yes soon. */
export const Bid = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('bid'), bidId: z.string().max(64), ttlMs: z.int().min(1), terms: Terms }),
    z.strictObject({
      kind: z.literal('no'),
      isTransient: z.boolean(),
      reason: z.string().max(500),
      againMs: since(2, ms.nullable().default(null).describe('When there may be room, ms; null where nothing is known.')),
    }),
  ])
  .meta({ id: 'Bid' })
export type Bid = z.infer<typeof Bid>

/** The work, given to the winner of a negotiation. */
export const Award = z
  .strictObject({
    bidId: z.string().max(64),
    jobId: JobId,
    epoch: z.int().min(1),
    leaseMs: z.int().min(1).describe('From each renewal until the attempt is stopped.'),
    logOffset: z.int().min(0).describe("Where the attempt's log begins in the job's."),
    title: z.string().max(200),
    spec: JobSpec,
    snapshot: Snapshot.nullable(),
    models: since(
      2,
      z
        .strictObject({ policy: ModelPolicy, atHome: z.array(modelName).max(256).describe('Models the home answers with.') })
        .default({ policy: 'worker-only', atHome: [] }),
    ),
    startWithinMs: since(
      2,
      ms.nullable().default(null).describe('Longest wait at the worker, ms; then the job has waited as long as it may.'),
    ),
  })
  .meta({ id: 'Award' })
export type Award = z.infer<typeof Award>

/** Model calls of an attempt that its home is to answer, as far as the home has not heard of them. */
export const ModelCallNews = z
  .strictObject({
    calls: z
      .array(
        z.strictObject({
          id: z.int().min(1).describe('Rises with every call of an attempt.'),
          kind: z.enum(['chat', 'embed']),
          request: z.unknown().describe("The body in OpenAI's wire format; null where `isBegun`."),
          isBegun: z.boolean().describe('A part of its answer came already, so it cannot be answered anew.'),
        }),
      )
      .max(256),
    gone: z.array(z.int().min(1)).max(256).describe('Calls that nobody waits for any more.'),
    isOver: z.boolean().describe('The attempt has ended: no more will come.'),
  })
  .meta({ id: 'ModelCallNews' })
export type ModelCallNews = z.infer<typeof ModelCallNews>

/** How an attempt went. */
export const AttemptEnd = z
  .discriminatedUnion('kind', [
    z
      .strictObject({ kind: z.literal('result'), result: Result, failure: Failure.nullable() })
      .describe('The agent ended and there is something to judge: a result, and a failure when a check is red.'),
    z.strictObject({ kind: z.literal('failed'), failure: Failure }),
    z.strictObject({
      kind: z.literal('stopped'),
      stop: z.enum(['cancel', 'shutdown', 'lease', 'run_timeout', 'silence_timeout', 'check_timeout']),
      handedBack: since(
        2,
        z.literal(true).optional().describe('With `shutdown`: the node goes on, but was told to give it back.'),
      ),
      reason: since(4, z.string().max(2000).optional().describe('With `handedBack`: why; default: its node is draining.')),
    }),
    z
      .strictObject({ kind: z.literal('lost'), reason: z.string() })
      .describe('The server that ran it is gone, or its sandbox is.'),
  ])
  .meta({ id: 'AttemptEnd' })
export type AttemptEnd = z.infer<typeof AttemptEnd>

/** Where an attempt on another node stands, from the events its home has not seen yet. */
export const AttemptReport = z
  .strictObject({
    epoch: since(2, z.int().min(1).optional().describe('Of the attempt that is told of.')),
    state: JobState,
    events: z.array(z.strictObject({ n: z.int().min(1), at: Timestamp, body: EventBody })).max(1000),
    logBytes: z.int().min(0).describe('Bytes the attempt has logged so far.'),
    mark: z.number().describe('Now, on a clock of the worker that never steps; given back by the next renewal.'),
    end: AttemptEnd.nullable(),
    bundle: since(
      2,
      z
        .strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })
        .nullable()
        .default(null)
        .describe('What the bundle with the result commit is, once there is one.'),
    ),
  })
  .meta({ id: 'AttemptReport' })
export type AttemptReport = z.infer<typeof AttemptReport>
