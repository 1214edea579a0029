import { describe, expect, it } from 'vitest'
import type { ModelUse } from '#server/models/index.ts'
import type { ChatRequest } from '#shared/contract/index.ts'
import type { ModelAnswer, ModelPart, ModelQuestion } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createModels } from '../index.ts'
import { editorProvider } from './index.ts'

const MODEL = 'vendor/one'
const CHAT: ChatRequest = { model: MODEL, messages: [{ role: 'user', content: 'hi' }] }
const text = (said: string): ModelPart => ({ kind: 'text', text: said })
const more = (...parts: ModelPart[]): ModelAnswer => ({ parts, end: null })
const done = (...parts: ModelPart[]): ModelAnswer => ({
  parts,
  end: { outcome: 'complete', usage: { inputTokens: 7, outputTokens: 3 } },
})

/** A node with the provider among its models, and editors that offer. */
function setUp() {
  const clock = virtualClock()
  const { provider, offers } = editorProvider({ clock })
  const models = createModels({ providers: [provider], clock })
  const uses: ModelUse[] = []
  const ask = (changes: Partial<ChatRequest> = {}, signal = new AbortController().signal) =>
    models.chat({ ...CHAT, ...changes }, { signal, used: use => uses.push(use) })
  const names = async () => (await models.list(new AbortController().signal)).models.map(({ id, owned_by }) => [owned_by, id])
  /** An editor that takes the next thing it is told. */
  function attach(...offered: string[]) {
    const leaving = new AbortController()
    const told = offers.follow(offered, leaving.signal)
    // Asked for once, so that it runs; what it then gives is the first thing told.
    let first: Promise<IteratorResult<{ id: string; isWanted: boolean }>> | null = told.next()
    async function next() {
      const { value } = await (first ?? told.next())
      first = null
      if (!value) throw new Error('It was let go')
      return value
    }
    return {
      next,
      async leave() {
        leaving.abort()
        await (first ?? told.next())
      },
      async question(): Promise<ModelQuestion> {
        return offers.get((await next()).id)
      },
    }
  }
  return { clock, offers, uses, ask, names, attach }
}

describe('models of editors', () => {
  it('are there while an editor offers them, and asked where they were offered last', async () => {
    const { names, attach, ask, offers } = setUp()
    expect(await names()).toEqual([])
    const first = attach(MODEL, 'vendor/two')
    expect(await names()).toEqual([
      ['editor', MODEL],
      ['editor', 'vendor/two'],
    ])
    const second = attach(MODEL)
    const answer = ask()
    const { id } = await second.question()
    await offers.answer(id, done(text('hello')))
    expect(await (await answer).json()).toMatchObject({ choices: [{ message: { content: 'hello' } }] })
    await second.leave()
    const again = ask({ model: `editor/${MODEL}` })
    await offers.answer((await first.question()).id, done(text('from the first')))
    expect(await (await again).json()).toMatchObject({ choices: [{ message: { content: 'from the first' } }] })
    await first.leave()
    expect(await names()).toEqual([])
    await expect(ask()).rejects.toMatchObject({ code: 'unknown_model' })
  })

  it('are asked in the words of an editor', async () => {
    const { attach, ask, offers } = setUp()
    const editor = attach(MODEL)
    const call = { id: 'c1', type: 'function', function: { name: 'read', arguments: '{"path":"a"}' } }
    const tool = (name: string) => ({ type: 'function', function: { name, description: 'd', parameters: { type: 'object' } } })
    const answer = ask({
      messages: [
        { role: 'system', content: 'be kind' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [call, { ...call, id: 'c2', function: { name: 'read', arguments: '{' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'one' },
        { role: 'tool', tool_call_id: 'c2', content: 'two' },
        { role: 'user', content: 'go on' },
      ],
      tools: [tool('read'), tool('edit')],
      tool_choice: { type: 'function', function: { name: 'edit' } },
      temperature: 0.5,
      user: 'somebody',
    })
    const question = await editor.question()
    expect(question).toEqual({
      id: expect.any(String),
      model: MODEL,
      messages: [
        { role: 'user', parts: [text('be kind')] },
        { role: 'user', parts: [text('a\nb')] },
        {
          role: 'assistant',
          parts: [
            { kind: 'call', id: 'c1', name: 'read', input: { path: 'a' } },
            { kind: 'call', id: 'c2', name: 'read', input: {} },
          ],
        },
        {
          role: 'user',
          parts: [
            { kind: 'answer', id: 'c1', text: 'one' },
            { kind: 'answer', id: 'c2', text: 'two' },
          ],
        },
        { role: 'user', parts: [text('go on')] },
      ],
      tools: [{ name: 'edit', description: 'd', inputSchema: { type: 'object' } }],
      mustUseTool: true,
      options: { temperature: 0.5 },
    })
    await offers.answer(question.id, done())
    await answer
  })

  it('stream, with calls of tools and what was used', async () => {
    const { attach, ask, offers, uses } = setUp()
    const editor = attach(MODEL)
    const asked = ask({ stream: true, stream_options: { include_usage: true } })
    const { id } = await editor.question()
    expect(await offers.answer(id, more(text('Let me '), text('see.')))).toEqual({ isWanted: true })
    const response = await asked
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    await offers.answer(id, done({ kind: 'call', id: 'c1', name: 'read', input: { path: 'a' } }))
    const events = (await response.text()).split('\n\n').flatMap(line => (line ? [line.slice('data: '.length)] : []))
    expect(events.at(-1)).toBe('[DONE]')
    const chunks = events.slice(0, -1).map(event => JSON.parse(event))
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      { content: 'Let me ' },
      { content: 'see.' },
      { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'read', arguments: '{"path":"a"}' } }] },
      {},
      undefined,
    ])
    expect(chunks.at(-2).choices[0].finish_reason).toBe('tool_calls')
    expect(chunks.at(-1).usage).toEqual({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 })
    expect(uses).toEqual([{ provider: 'editor', model: MODEL, inputTokens: 7, outputTokens: 3, durationMs: 0 }])
    await expect(async () => offers.get(id)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('count a part as a token where the editor cannot count', async () => {
    const { attach, ask, offers, uses } = setUp()
    const editor = attach(MODEL)
    const asked = ask()
    const { id } = await editor.question()
    await offers.answer(id, { parts: [text('a'), text('b')], end: { outcome: 'complete', usage: null } })
    await asked
    expect(uses).toMatchObject([{ inputTokens: 0, outputTokens: 2 }])
  })

  it('fail as a provider does: before the answer with a status, half way within it', async () => {
    const { attach, ask, offers } = setUp()
    const editor = attach(MODEL)
    const refused = ask()
    const failed: ModelAnswer = { parts: [], end: { outcome: 'failed', reason: 'No permission.' } }
    await Promise.all([
      expect(refused).rejects.toMatchObject({ code: 'provider_failed', message: 'The editor’s model failed: No permission.' }),
      editor.question().then(({ id }) => offers.answer(id, failed)),
    ])
    const broken = ask({ stream: true })
    const { id } = await editor.question()
    await offers.answer(id, more(text('a')))
    const response = await broken
    await editor.leave()
    const said = await response.text()
    expect(said).toContain('"provider_failed"')
    expect(said).toContain('has left')
    expect(said).not.toContain('[DONE]')
  })

  it('are told when nobody wants the answer any more', async () => {
    const { attach, ask, offers } = setUp()
    const editor = attach(MODEL)
    const giving = new AbortController()
    const early = ask({}, giving.signal)
    const first = await editor.question()
    giving.abort(new Error('given up'))
    await expect(early).rejects.toThrow('given up')
    expect(await editor.next()).toEqual({ id: first.id, isWanted: false })
    await expect(offers.answer(first.id, done())).rejects.toMatchObject({ code: 'not_found' })

    const asked = ask({ stream: true })
    const { id } = await editor.question()
    await offers.answer(id, more(text('a')))
    await (await asked).body?.cancel()
    expect(await editor.next()).toEqual({ id, isWanted: false })
  })

  it('wait with the next piece while whoever asked has not taken the last', async () => {
    const { attach, ask, offers } = setUp()
    const editor = attach(MODEL)
    const asked = ask({ stream: true })
    const { id } = await editor.question()
    let isTaken = false
    const large = offers.answer(id, more(text('a'), text('x'.repeat(300_000)))).then(answer => {
      isTaken = true
      return answer
    })
    const response = await asked
    expect(isTaken).toBe(false)
    const reader = response.body?.getReader()
    await Promise.all([
      large,
      (async () => {
        while (!isTaken) await reader?.read()
      })(),
    ])
    expect(await large).toEqual({ isWanted: true })
    await reader?.cancel()
  })

  it.each([
    ['a picture', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] }],
    ['a call without a name', { messages: [{ role: 'assistant', tool_calls: [{ id: 'c', function: {} }] }] }],
    ['tools that are none', { tools: [{ type: 'function' }] }],
  ] as [string, Partial<ChatRequest>][])('refuse %s', async (_, changes) => {
    const { attach, ask } = setUp()
    attach(MODEL)
    await expect(ask(changes)).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('hold so many questions of one editor, and no more', async () => {
    const { attach, ask } = setUp()
    const editor = attach(MODEL)
    const asked = Array.from({ length: 32 }, () => ask().catch(error => error.code))
    await expect(ask()).rejects.toMatchObject({ code: 'too_many_requests' })
    await editor.next()
    await editor.leave()
    expect(await Promise.all(asked)).toEqual(Array(32).fill('provider_failed'))
  })
})
