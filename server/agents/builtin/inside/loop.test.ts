import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Answer } from './completion.ts'
import { type Message, sizeOf } from './conversation.ts'
import { work } from './loop.ts'
import { type Ask, TooLong } from './model.ts'
import { Report } from './protocol.ts'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'skein-loop-')))
  writeFileSync(join(root, 'a.txt'), 'one\ntwo\n')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const says = (text: string, more: Partial<Answer> = {}): Answer => ({ text, thought: '', calls: [], isCut: false, ...more })
let count = 0
const calls = (...all: [name: string, input: object | string][]): Answer =>
  says('', {
    calls: all.map(([name, input]) => ({
      id: `c${++count}`,
      name,
      arguments: typeof input === 'string' ? input : JSON.stringify(input),
    })),
  })

/** Lets a model that says these things work on the task. Every report is one the server would take. */
async function play(...answers: (Answer | Error)[]) {
  const reports: Report[] = []
  const asked: (readonly Message[])[] = []
  const ask: Ask = async ({ messages, onText }) => {
    asked.push(messages)
    const answer = answers.shift() ?? says('done')
    if (answer instanceof Error) throw answer
    if (answer.text) onText(answer.text)
    return answer
  }
  const failure = await work('the task', { root, ask, report: report => void reports.push(Report.parse(report)) }).catch(
    error => error,
  )
  const log = reports.flatMap(report => (report.type === 'log' ? [report.text] : [])).join('')
  /** What the model was told by its tools, at its last turn. */
  const told = asked.at(-1)?.flatMap(message => (message.role === 'tool' ? [message.content] : [])) ?? []
  return { reports, asked, log, told, failure }
}
const only = <T extends Report['type']>(reports: readonly Report[], type: T) =>
  reports.filter((report): report is Extract<Report, { type: T }> => report.type === type)

describe('the loop', () => {
  it('uses tools, tells the model what came of it, and ends when it calls none', async () => {
    const { reports, told, log } = await play(
      calls(['read', { path: 'a.txt' }], ['search', { text: 'two' }]),
      calls(['edit', { path: 'a.txt', oldText: 'two', newText: '2' }]),
      calls(['write', { path: 'new/b.txt', content: 'b' }], ['list', {}]),
      calls(['run', { command: 'cat a.txt && exit 3' }]),
      says('All done.', { thought: 'well' }),
    )
    expect(told).toEqual([
      '1\tone\n2\ttwo\n3\t',
      'a.txt:2: two',
      'a.txt edited',
      'new/b.txt written',
      'a.txt\nnew/b.txt',
      'one\n2\n\n[exit code 3]',
    ])
    expect(readFileSync(join(root, 'a.txt'), 'utf8')).toBe('one\n2\n')
    expect(readFileSync(join(root, 'new', 'b.txt'), 'utf8')).toBe('b')
    expect(log).toBe(
      '▸ read a.txt\n▸ search "two"\n▸ edit a.txt\n▸ write new/b.txt\n▸ list .\n▸ run cat a.txt && exit 3\none\n2\nAll done.\n',
    )
    expect(only(reports, 'diff')).toMatchObject([
      { path: 'a.txt', oldText: 'one\ntwo\n', newText: 'one\n2\n' },
      { path: 'new/b.txt', oldText: null, newText: 'b' },
    ])
    expect(only(reports, 'tool').filter(({ status }) => status === 'completed')).toHaveLength(6)
    expect(only(reports, 'thought')).toEqual([{ type: 'thought', text: 'well' }])
    expect(reports.at(-1)).toEqual({ type: 'done', reason: 'the model called no more tools' })
  })

  it('tells the model of its mistakes', async () => {
    const { told, reports, failure } = await play(
      calls(
        ['remove', {}],
        ['toString', {}],
        ['read', '{"path":'],
        ['read', { path: 5 }],
        ['read', { path: '../x' }],
        ['read', { path: 'none' }],
        ['edit', { path: 'a.txt', oldText: 'o', newText: '' }],
        ['edit', { path: 'a.txt', oldText: 'three', newText: '' }],
      ),
    )
    expect(failure).toBeUndefined()
    const expected = [
      /no tool "remove"; there are: read, list/,
      /no tool "toString"/,
      /arguments of read are wrong/,
      /arguments of read are wrong/,
      /Failed: .*outside of the work tree/,
      /Failed: there is no none/,
      /Failed: the text stands 2 times/,
      /Failed: the text stands 0 times/,
    ]
    for (const [index, pattern] of expected.entries()) expect(told[index]).toMatch(pattern)
    expect(only(reports, 'tool').filter(({ status }) => status === 'failed')).toHaveLength(4)
    expect(readFileSync(join(root, 'a.txt'), 'utf8')).toBe('one\ntwo\n')
  })

  it('makes a call that a small model writes out', async () => {
    const { told } = await play(says('```json\n{"name":"read","arguments":{"path":"a.txt"}}\n```'), says('done'))
    expect(told).toEqual(['1\tone\n2\ttwo\n3\t'])
  })

  it('asks on when an answer is cut or empty, but not for ever', async () => {
    const { asked } = await play(says('half', { isCut: true }), says(''), says(' '), says(''), says('never heard'))
    expect(asked).toHaveLength(4)
    expect(asked[1]?.at(-1)?.content).toContain('cut off')
    expect(asked[2]?.at(-1)?.content).toContain('You said nothing')
  })

  it('makes at most 20 calls of one turn', async () => {
    const { told } = await play(calls(...Array.from({ length: 25 }, () => ['list', {}] as [string, object])))
    expect(told).toHaveLength(25)
    expect(told.filter(text => text.startsWith('Not done'))).toHaveLength(5)
  })

  it('ends after 100 steps', async () => {
    const { failure, asked } = await play(...Array.from({ length: 200 }, () => calls(['list', {}])))
    expect(failure).toMatchObject({ message: expect.stringContaining('100 steps') })
    expect(asked).toHaveLength(100)
  })

  it('bounds what it reports and what the model is shown', async () => {
    const text = `${'x'.repeat(99)}\n`.repeat(10_000)
    writeFileSync(join(root, 'big.txt'), `begin\n${text}`)
    const { told, reports } = await play(
      calls(['edit', { path: 'big.txt', oldText: 'begin', newText: 'start' }]),
      calls(['read', { path: 'big.txt', lines: 100_000 }]),
      calls(['run', { command: 'cat big.txt' }]),
      says(text),
    )
    expect(Math.max(...told.map(({ length }) => length))).toBeLessThan(16_384)
    expect(told.map(answer => answer.includes('characters left out'))).toEqual([false, true, true])
    expect(told[1]?.slice(0, 5)).toBe('1\tsta')
    expect(only(reports, 'diff')).toEqual([])
    expect(only(reports, 'message')[0]?.text).toMatch(/… \[cut\]$/)
  })

  it('keeps the conversation within bounds', async () => {
    writeFileSync(join(root, 'big.txt'), 'x'.repeat(100_000))
    const { asked } = await play(...Array.from({ length: 60 }, () => calls(['read', { path: 'big.txt' }])))
    expect(Math.max(...asked.map(sizeOf))).toBeLessThan(240_000)
    expect(Math.max(...asked.map(sizeOf))).toBeGreaterThan(200_000)
    // Cut seldom: a model reads everything anew that comes after a change.
    const cuts = asked.filter((messages, index) => sizeOf(messages) < sizeOf(asked[index - 1] ?? []))
    expect(cuts.length).toBeLessThan(8)
  })

  it('makes a conversation shorter that the model finds too long, and gives up when it cannot', async () => {
    writeFileSync(join(root, 'big.txt'), 'x'.repeat(10_000))
    const reads = Array.from({ length: 12 }, () => calls(['read', { path: 'big.txt' }]))
    const { asked, log, failure } = await play(...reads, new TooLong('context'), new TooLong('context'), says('done'))
    expect(failure).toBeUndefined()
    expect(log).toContain('leaving out its oldest parts')
    const [before, once, twice] = asked.slice(-3).map(sizeOf)
    expect(once).toBeLessThan((before ?? 0) * 0.61)
    expect(twice).toBeLessThan((once ?? 0) * 0.61)
    const hopeless = await play(...Array.from({ length: 20 }, () => new TooLong('too long, always')))
    expect(hopeless.failure).toMatchObject({ message: 'too long, always' })
    expect(hopeless.asked).toHaveLength(1)
  })
})
