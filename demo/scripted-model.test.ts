import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FIX_TEST_SESSION, type ScriptedModel, type Step, startScriptedModel } from './scripted-model.ts'

const tools = (...names: string[]) => names.map(name => ({ type: 'function', function: { name } }))
const user = (content: unknown) => [{ role: 'user', content }]

async function start(steps: readonly Step[]) {
  const model = await startScriptedModel({ steps })
  onTestFinished(() => model.close())
  return model
}
const post = (model: ScriptedModel, body: object) =>
  fetch(`${model.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'scripted', ...body }) })

describe('a scripted model', () => {
  it('is listed', async () => {
    const model = await start([])
    expect(await (await fetch(`${model.url}/v1/models`)).json()).toMatchObject({ object: 'list', data: [{ id: 'scripted' }] })
    expect((await fetch(`${model.url}/v1/other`)).status).toBe(404)
  })

  it('plays its steps, each in the words of the agent’s own tools, and says when there is nothing left', async () => {
    const model = await start(FIX_TEST_SESSION)
    const called: unknown[] = []
    for (let turn = 0; turn < 5; turn++) {
      const answer = (await (await post(model, { messages: user('go'), tools: tools('bash', 'read', 'edit') })).json()) as {
        choices: { message: { content: string; tool_calls?: { function: { name: string; arguments: string } }[] } }[]
        usage: { total_tokens: number }
      }
      const message = answer.choices[0]?.message
      const call = message?.tool_calls?.[0]?.function
      called.push(call ? [call.name, JSON.parse(call.arguments)] : message?.content)
      expect(answer.usage.total_tokens).toBeGreaterThan(0)
    }
    expect(called).toEqual([
      ['read', expect.objectContaining({ filePath: 'price.js' })],
      ['edit', expect.objectContaining({ oldString: 'cents - cents * percent' })],
      ['bash', expect.objectContaining({ command: 'node --test' })],
      expect.stringContaining('divides by 100'),
      'Nothing is left to do.',
    ])
    expect(model.requests).toHaveLength(5)
  })

  it('streams as real models do, arguments in pieces', async () => {
    const model = await start([{ text: 'I look.', tools: { read: { path: 'a' } } }])
    const body = { messages: user('go'), tools: tools('read'), stream: true, stream_options: { include_usage: true } }
    const frames = (await (await post(model, body)).text()).trimEnd().split('\n\n')
    expect(frames.pop()).toBe('data: [DONE]')
    const chunks = frames.map(frame => JSON.parse(frame.slice('data: '.length)))
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }: { delta: object }) => delta))
    expect(deltas.map(({ content = '' }) => content).join('')).toBe('I look.')
    const parts = deltas.flatMap(({ tool_calls = [] }) => tool_calls)
    expect(parts.length).toBeGreaterThan(2)
    expect(parts.map(part => part.function.arguments).join('')).toBe('{"path":"a"}')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: expect.any(Number) } })
  })

  it('answers questions for titles without using up a step', async () => {
    const model = await start([{ text: 'step one' }])
    const title = await (await post(model, { messages: user('a title, please') })).json()
    expect(title).toMatchObject({ choices: [{ message: { content: 'Fix the failing test' } }] })
    const step = await (await post(model, { messages: user('go'), tools: tools('read') })).json()
    expect(step).toMatchObject({ choices: [{ message: { content: 'step one' } }] })
  })

  it('plays from a file, and waits for what a step comes after', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'skein-script-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'session.json')
    writeFileSync(file, JSON.stringify([{ match: 'exit "0"', text: 'good' }]))
    const model = await startScriptedModel({ file })
    onTestFinished(() => model.close())
    const astray = await post(model, { messages: user('exit "1"'), tools: tools('read') })
    expect(astray.status).toBe(400)
    expect(await astray.text()).toContain('comes after')
    const parts = [{ type: 'text', text: 'it says exit "0".' }]
    expect((await post(model, { messages: user(parts), tools: tools('read') })).status).toBe(200)
    writeFileSync(file, '[{"txt": 1}]')
    await expect(startScriptedModel({ file })).rejects.toThrow()
  })

  it('refuses an agent that offers none of a step’s tools, and what is no request', async () => {
    const model = await start([{ tools: { read: {} } }])
    const refused = await post(model, { messages: user('go'), tools: tools('look') })
    expect(refused.status).toBe(400)
    expect(await refused.text()).toContain('one of read; the agent offers look')
    expect((await post(model, {})).status).toBe(400)
  })
})
