import type { SessionUpdate } from '@agentclientprotocol/sdk'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AgentReport } from '../index.ts'
import { createUpdates } from './updates.ts'

function play(updates: readonly SessionUpdate[]): { reports: AgentReport[]; log: string } {
  const reports: AgentReport[] = []
  let log = ''
  const sink = createUpdates({
    report: event => reports.push(event),
    log: text => {
      log += text
    },
  })
  for (const update of updates) sink.take(update)
  sink.end()
  return { reports, log }
}

const chunk = (kind: 'agent_message_chunk' | 'agent_thought_chunk', text: string): SessionUpdate => ({
  sessionUpdate: kind,
  content: { type: 'text', text },
})

describe('what an agent streams', () => {
  it('loses no text and keeps its order, in far fewer events than tokens', () => {
    const token = fc.record({
      kind: fc.constantFrom('agent_message_chunk', 'agent_thought_chunk'),
      text: fc.string({ maxLength: 2000 }),
    })
    fc.assert(
      fc.property(fc.array(token, { maxLength: 60 }), tokens => {
        const { reports } = play(tokens.map(({ kind, text }) => chunk(kind, text)))
        const said = (type: string) =>
          reports.flatMap(report => (report.type === type && 'text' in report ? [report.text] : [])).join('')
        for (const [kind, type] of [
          ['agent_message_chunk', 'agent.message'],
          ['agent_thought_chunk', 'agent.thought'],
        ] as const) {
          expect(said(type)).toBe(tokens.flatMap(each => (each.kind === kind ? [each.text] : [])).join(''))
        }
        expect(reports.every(report => 'text' in report && report.text !== '')).toBe(true)
      }),
    )
  })

  it('cuts no word, which may be a secret, in two events, unless it never ends', () => {
    const texts = (said: string) =>
      play((said.match(/.{1,7}/g) ?? []).map(text => chunk('agent_message_chunk', text))).reports.map(report =>
        'text' in report ? report.text : '',
      )
    fc.assert(
      fc.property(fc.integer({ min: 3900, max: 4200 }), before => {
        const events = texts(`${'words '.repeat(before / 6)}sk-0123456789abcdef${' words'.repeat(1000)}`)
        expect(events.length).toBeGreaterThan(1)
        expect(events.some(text => text.includes('sk-0123456789abcdef'))).toBe(true)
      }),
    )
    expect(Math.max(...texts('x'.repeat(100_000)).map(text => text.length))).toBeLessThan(20_000)
  })

  it('bounds what one event holds, whatever a hostile agent puts into it', () => {
    const long = 'x'.repeat(1_000_000)
    const locations = Array.from({ length: 10_000 }, () => ({ path: long.slice(0, 100_000) }))
    const { reports, log } = play([
      { sessionUpdate: 'tool_call', toolCallId: long, title: long, locations, rawInput: { long } },
      {
        sessionUpdate: 'tool_call_update',
        toolCallId: long,
        status: 'completed',
        content: [{ type: 'diff', path: long, newText: long }],
      },
      { sessionUpdate: 'plan', entries: locations.map(() => ({ content: long, status: 'pending', priority: 'low' })) },
    ])
    expect(reports.map(({ type }) => type)).toEqual(['agent.tool', 'agent.tool', 'agent.diff', 'agent.plan'])
    for (const report of reports) expect(JSON.stringify(report).length).toBeLessThan(300_000)
    expect(log.length).toBeLessThan(2_000)
  })

  it('remembers the title of a tool that is in use, however many come and go beside it', () => {
    const others = Array.from({ length: 12_000 }, (_, index): SessionUpdate[] => [
      { sessionUpdate: 'tool_call', toolCallId: `other ${index}`, title: 'other' },
      ...(index % 500 === 0 ? [{ sessionUpdate: 'tool_call_update', toolCallId: 'mine', kind: 'read' } as const] : []),
    ])
    const last: SessionUpdate = { sessionUpdate: 'tool_call_update', toolCallId: 'other 11999', status: 'completed' }
    const mine: SessionUpdate = { sessionUpdate: 'tool_call_update', toolCallId: 'mine', status: 'completed' }
    const { reports } = play([{ sessionUpdate: 'tool_call', toolCallId: 'mine', title: 'mine' }, ...others.flat(), mine, last])
    expect(reports.slice(-2)).toMatchObject([{ title: 'mine' }, { title: 'other' }])
  })

  it('makes one event of a passage of many tokens', () => {
    const { reports, log } = play(['I ', 'look ', 'at ', 'it.'].map(text => chunk('agent_message_chunk', text)))
    expect(reports).toEqual([{ type: 'agent.message', text: 'I look at it.' }])
    expect(log).toBe('I look at it.\n')
  })

  it('completes a tool call from its updates and says each change once', () => {
    const { reports, log } = play([
      {
        sessionUpdate: 'tool_call',
        toolCallId: 't',
        title: 'edit a.ts',
        kind: 'edit',
        status: 'pending',
        rawInput: { path: 'a.ts' },
      },
      { sessionUpdate: 'tool_call_update', toolCallId: 't', status: 'in_progress' },
      { sessionUpdate: 'tool_call_update', toolCallId: 't', status: 'in_progress' },
      {
        sessionUpdate: 'tool_call_update',
        toolCallId: 't',
        status: 'completed',
        content: [
          { type: 'content', content: { type: 'text', text: 'done' } },
          { type: 'diff', path: 'a.ts', oldText: null, newText: 'x' },
        ],
      },
    ])
    expect(reports.map(report => ('status' in report ? report.status : report.type))).toEqual([
      'pending',
      'in_progress',
      'completed',
      'agent.diff',
    ])
    expect(reports[2]).toMatchObject({ title: 'edit a.ts', kind: 'edit', input: '{"path":"a.ts"}', output: 'done' })
    expect(log).toBe('▸ edit a.ts\ndone\n')
  })

  it('cuts what is too long to keep', () => {
    const { reports } = play([{ sessionUpdate: 'tool_call', toolCallId: 't', title: 'x', rawInput: 'y'.repeat(100_000) }])
    expect(JSON.stringify(reports).length).toBeLessThan(20_000)
  })
})
