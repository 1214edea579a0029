import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CheckRun, EventBody, JobEvent } from '#shared/model/index.ts'
import { BEGINNING, tell } from './story.ts'

let n = 0
const event = (body: EventBody): JobEvent => {
  n++
  return { seq: n, n, jobId: '0', at: `2026-01-01T00:00:${String(n % 60).padStart(2, '0')}.000Z`, body }
}
const events = (...bodies: EventBody[]) => {
  n = 0
  return bodies.map(event)
}
const run = (exitCode: number): CheckRun => ({ exitCode, ended: 'exit', durationMs: 1, logOffset: 0, logBytes: 0, logSha256: '' })
const tool = (status: 'pending' | 'completed', more: object = {}): EventBody =>
  ({
    type: 'agent.tool',
    epoch: 1,
    toolCallId: 't',
    title: 'Edit',
    kind: 'edit',
    status,
    input: null,
    output: null,
    locations: [],
    ...more,
  }) as EventBody
const started: EventBody = {
  type: 'attempt.started',
  epoch: 1,
  executor: 'process',
  isolation: 'process',
  agent: 'opencode',
  agentVersion: '1.0',
  model: 'm',
  why: 'it is free',
}
const ask: EventBody = { type: 'permission.requested', epoch: 1, requestId: 'r', title: 'rm', detail: '', options: [] }

describe('a story', () => {
  it('joins what the agent says in pieces, and cuts where something else comes between', () => {
    const says = (text: string): EventBody => ({ type: 'agent.message', epoch: 1, text })
    const { entries } = tell(BEGINNING, events(says('a'), says('b'), tool('completed'), says('c')))
    expect(entries.map(entry => (entry.kind === 'message' ? entry.text : entry.kind))).toEqual(['ab', 'tool', 'c'])
  })
  it('keeps one entry a tool call, with what came before where nothing is said', () => {
    const diff: EventBody = { type: 'agent.diff', epoch: 1, toolCallId: 't', path: 'a.ts', oldText: null, newText: 'x' }
    const { entries } = tell(
      BEGINNING,
      events(tool('pending', { input: '{}' }), diff, tool('completed', { title: '', output: 'done' })),
    )
    expect(entries).toHaveLength(1)
    expect(entries[0]).toMatchObject({
      tool: { title: 'Edit', status: 'completed', input: '{}', output: 'done', diffs: [{ path: 'a.ts' }] },
    })
  })
  it('knows the image of an attempt until there is another attempt', () => {
    const image = { name: 'node:24', digest: null }
    const told = tell(BEGINNING, events(started, { type: 'attempt.image', epoch: 1, image }))
    expect(told.image).toEqual(image)
    expect(tell(told, events({ ...started, epoch: 2 })).image).toBeNull()
    expect(tell(told, events({ type: 'attempt.lost', epoch: 1, reason: 'gone' })).image).toBeNull()
  })
  it('tells checks before and after, by number', () => {
    const ended = (phase: 'base' | 'result', code: number): EventBody => ({
      type: 'check.ended',
      epoch: 1,
      phase,
      index: 1,
      run: run(code),
    })
    expect(tell(BEGINNING, events(ended('base', 1), ended('result', 0))).checks).toEqual([
      { base: null, result: null },
      { base: run(1), result: run(0) },
    ])
  })
  it('has a question until it is answered, and none of an attempt that is over', () => {
    const answered: EventBody = { type: 'permission.answered', epoch: 1, requestId: 'r', optionId: 'yes', by: 'person' }
    expect(tell(BEGINNING, events(ask)).questions).toHaveLength(1)
    expect(tell(BEGINNING, events(ask, answered)).questions).toHaveLength(0)
    expect(tell(BEGINNING, events(ask, { type: 'attempt.lost', epoch: 1, reason: '' })).questions).toHaveLength(0)
  })
  it('forgets the plan and the checks of an attempt with the next one', () => {
    const plan: EventBody = { type: 'agent.plan', epoch: 1, entries: [{ content: 'x', status: 'pending', priority: 'low' }] }
    expect(tell(BEGINNING, events(started, plan)).plan).toHaveLength(1)
    expect(tell(BEGINNING, events(started, plan, started)).plan).toHaveLength(0)
  })
  it('tells its times and its end', () => {
    const to = (state: 'running' | 'failed'): EventBody => ({
      type: 'job.state',
      from: 'queued',
      to: state,
      epoch: 1,
      failure: state === 'failed' ? { code: 'lost', detail: 'd' } : null,
    })
    const story = tell(BEGINNING, events(ask, to('running'), to('failed')))
    expect(story).toMatchObject({
      state: 'failed',
      failure: { code: 'lost' },
      startedAt: expect.any(String),
      endedAt: expect.any(String),
    })
    expect(story.questions).toEqual([])
  })
  it('is the same however its events come, and changes nothing of what was told before', () => {
    const all = events(started, ask, tool('pending'), { type: 'agent.message', epoch: 1, text: 'a' }, tool('completed'))
    const whole = JSON.stringify(tell(BEGINNING, all))
    fc.assert(
      fc.property(fc.nat(all.length), cut => {
        const first = tell(BEGINNING, all.slice(0, cut))
        const before = JSON.stringify(first)
        expect(JSON.stringify(tell(first, all.slice(cut)))).toBe(whole)
        expect(JSON.stringify(first)).toBe(before)
      }),
    )
  })
})
