import * as z from 'zod'
import { CommandLine } from './command.ts'
import { JobId, Timestamp } from './id.ts'
import { UsedImage } from './image.ts'
import { IsolationLevel } from './isolation.ts'
import { Failure, Snapshot } from './job.ts'
import { Limits } from './limits.ts'
import { since } from './protocol.ts'
import { CheckRun, DiffStat, Result } from './result.ts'
import { SpecTaskRef } from './spec-names.ts'
import { JobState } from './state.ts'

const epoch = z.int().min(1)
const text = z.string()

/** What an agent reports, whatever protocol it speaks. Hostile input: shown, never obeyed. */
const agentEvents = [
  z.strictObject({ type: z.literal('agent.message'), epoch, text }),
  z.strictObject({ type: z.literal('agent.thought'), epoch, text }),
  z.strictObject({
    type: z.literal('agent.plan'),
    epoch,
    entries: z.array(
      z.strictObject({
        content: text,
        status: z.enum(['pending', 'in_progress', 'completed']),
        priority: z.enum(['high', 'medium', 'low']),
      }),
    ),
  }),
  z.strictObject({
    type: z.literal('agent.tool'),
    epoch,
    toolCallId: text,
    title: text,
    kind: text.describe('read, edit, delete, move, search, execute, think, fetch, other'),
    status: z.enum(['pending', 'in_progress', 'completed', 'failed']),
    input: text.nullable().describe('JSON of the arguments, cut to 16 KiB'),
    output: text.nullable().describe('What the tool said, cut to 16 KiB'),
    locations: z.array(z.strictObject({ path: text, line: z.int().nullable() })),
  }),
  z.strictObject({ type: z.literal('agent.diff'), epoch, toolCallId: text, path: text, oldText: text.nullable(), newText: text }),
  z.strictObject({
    type: z.literal('agent.usage'),
    epoch,
    usedTokens: z.int().nullable(),
    contextTokens: z.int().nullable(),
    costUsd: z.number().nullable(),
  }),
] as const

/** Everything that can happen to a job. One row each in an append-only table. */
export const EventBody = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('job.created'),
      title: text,
      agent: text,
      priority: z.int(),
      snapshot: Snapshot.nullable(),
      retryOf: JobId.nullable(),
      spec: since(3, SpecTaskRef.optional().describe('The task of a spec that it is for.')),
    }),
    z.strictObject({ type: z.literal('job.state'), from: JobState, to: JobState, epoch: z.int(), failure: Failure.nullable() }),
    z.strictObject({ type: z.literal('job.cancel'), reason: text }),
    z.strictObject({
      type: z.literal('attempt.started'),
      epoch,
      executor: text,
      isolation: IsolationLevel,
      agent: text,
      agentVersion: text.nullable(),
      model: text.nullable(),
      why: text,
      limits: since(5, Limits.optional().describe('What each of its sandboxes may use.')),
    }),
    since(
      6,
      z
        .strictObject({ type: z.literal('attempt.image'), epoch, image: UsedImage })
        .describe('What its sandboxes run in from here on.'),
    ),
    since(
      2,
      z
        .strictObject({ type: z.literal('attempt.placed'), epoch, node: text, name: text })
        .describe('Another node got the attempt; said by the home alone.'),
    ),
    z.strictObject({ type: z.literal('attempt.lost'), epoch, reason: text }),
    since(
      2,
      z
        .strictObject({ type: z.literal('attempt.returned'), epoch, reason: text })
        .describe('It came back undone, and does not count.'),
    ),
    since(
      2,
      z
        .strictObject({ type: z.literal('attempt.aside'), epoch, reason: text })
        .describe('The job goes on without it; it may still win.'),
    ),
    z.strictObject({ type: z.literal('attempt.process'), epoch, pid: z.int(), startTime: text, purpose: text }),
    z.strictObject({
      type: z.literal('check.started'),
      epoch,
      phase: z.enum(['base', 'result']),
      index: z.int(),
      argv: CommandLine,
    }),
    z.strictObject({ type: z.literal('check.ended'), epoch, phase: z.enum(['base', 'result']), index: z.int(), run: CheckRun }),
    ...agentEvents,
    z.strictObject({
      type: z.literal('model.usage'),
      epoch,
      provider: text,
      model: text,
      inputTokens: z.int(),
      outputTokens: z.int(),
      durationMs: z.int(),
    }),
    z.strictObject({
      type: z.literal('permission.requested'),
      epoch,
      requestId: text,
      title: text,
      detail: text,
      options: z.array(
        z.strictObject({ id: text, name: text, kind: z.enum(['allow_once', 'allow_always', 'reject_once', 'reject_always']) }),
      ),
    }),
    z.strictObject({
      type: z.literal('permission.answered'),
      epoch,
      requestId: text,
      optionId: text.nullable(),
      by: z.enum(['person', 'policy', 'timeout', 'end']),
    }),
    z.strictObject({ type: z.literal('result.committed'), epoch, commit: text.nullable(), diffStat: DiffStat }),
    z.strictObject({ type: z.literal('result.accepted'), result: Result }),
    z.strictObject({ type: z.literal('result.refused'), epoch, reason: text }),
    z.strictObject({ type: z.literal('result.delivered'), ref: text }),
    z.strictObject({ type: z.literal('log.sealed'), bytes: z.int(), sha256: text }),
    z.strictObject({ type: z.literal('warning'), code: text, detail: text }),
  ])
  .meta({ id: 'EventBody' })
export type EventBody = z.infer<typeof EventBody>
export type EventType = EventBody['type']
export type AgentEvent = Extract<EventBody, { type: `agent.${string}` }>

/** An event as it is stored and sent. `seq` orders all events of a node, `n` those of one job (from 1, without gaps). */
export const JobEvent = z
  .strictObject({ seq: z.int().min(1), jobId: JobId, n: z.int().min(1), at: Timestamp, body: EventBody })
  .meta({ id: 'JobEvent' })
export type JobEvent = z.infer<typeof JobEvent>
