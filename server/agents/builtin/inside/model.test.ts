import type { ServerResponse } from 'node:http'
import { describe, expect, it, test } from 'vitest'
import { json, type Stub, startStub } from '#test/fakes/stub-server.ts'
import { createModel, TooLong } from './model.ts'

const ANSWER = { choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }] }
const STREAM = 'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
const END = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

function at({ url }: Pick<Stub, 'url'>) {
  const pauses: number[] = []
  const notes: string[] = []
  const model = createModel(
    { baseUrl: `${url}/v1`, token: 't', model: 'm' },
    { pause: async ms => void pauses.push(ms), note: line => notes.push(line) },
  )
  let heard = ''
  const ask = () =>
    model({ messages: [{ role: 'user', content: 'hi' }], tools: [{ a: 1 }], onText: text => (heard += text) }).then(answer => ({
      ...answer,
      heard,
    }))
  return { ask, pauses, notes }
}
const stream = (response: ServerResponse, text: string) =>
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text)

describe('asking a model', () => {
  it('sends the conversation with the job’s token and reads the stream', async () => {
    await using stub = await startStub((_, response) => void stream(response, STREAM + END))
    expect(await at(stub).ask()).toMatchObject({ text: 'hi', heard: 'hi' })
    expect(stub.requests).toMatchObject([
      {
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { authorization: 'Bearer t' },
        body: { model: 'm', stream: true, messages: [{ content: 'hi' }], tools: [{ a: 1 }] },
      },
    ])
  })

  it('reads an answer that comes whole', async () => {
    await using stub = await startStub((_, response) => json(response, ANSWER))
    expect(await at(stub).ask()).toMatchObject({ text: 'hi' })
  })

  test.each([
    ['is busy', (response: ServerResponse) => json(response, {}, 429)],
    ['fails', (response: ServerResponse) => json(response, {}, 502)],
    ['hangs up', (response: ServerResponse) => response.destroy()],
    ['breaks off', (response: ServerResponse) => stream(response, STREAM)],
    ['breaks off with an error', (response: ServerResponse) => stream(response, `${STREAM}data: {"error":"memory"}\n\n`)],
    [
      'breaks off in mid-air',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': 1000 })
        response.write(STREAM, () => response.destroy())
      },
    ],
    ['says something else', (response: ServerResponse) => response.end('<html>')],
  ])('asks again with growing pauses when it %s', async (_, misbehave) => {
    let tries = 0
    await using stub = await startStub((_, response) => void (tries++ < 3 ? misbehave(response) : json(response, ANSWER)))
    const { ask, pauses, notes } = at(stub)
    expect(await ask()).toMatchObject({ text: 'hi' })
    expect(pauses).toEqual([1_000, 2_000, 4_000])
    expect(notes[0]).toMatch(/^the model did not answer \(.+\); asking again in 1 s$/)
  })

  it('comes again when it is told to, within a minute', async () => {
    const after = ['7', '100000', 'soon']
    await using stub = await startStub((_, response) => {
      const value = after.shift()
      if (value === undefined) return json(response, ANSWER)
      response.setHeader('retry-after', value)
      json(response, {}, 429)
    })
    const { ask, pauses } = at(stub)
    await ask()
    expect(pauses).toEqual([7_000, 60_000, 4_000])
  })

  it('gives up after six tries, and says what the endpoint said', async () => {
    await using stub = await startStub((_, response) => json(response, { error: { message: 'no memory' } }, 503))
    const { ask, pauses } = at(stub)
    await expect(ask()).rejects.toThrow(/503 .*no memory/)
    expect(pauses).toHaveLength(5)
  })

  test.each([400, 401, 404, 422])('does not ask again after a refusal (%i)', async status => {
    await using stub = await startStub((_, response) => json(response, { error: { message: 'tools are not supported' } }, status))
    const { ask, pauses } = at(stub)
    await expect(ask()).rejects.toThrow('tools are not supported')
    expect(pauses).toEqual([])
  })

  test.each([
    '{"error":{"message":"...","code":"context_length_exceeded"}}',
    '{"error":{"message":"the input length exceeds the context length"}}',
    '{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}',
  ])('knows a conversation that is too long: %s', async said => {
    await using stub = await startStub((_, response) => void response.writeHead(400).end(said))
    await expect(at(stub).ask()).rejects.toBeInstanceOf(TooLong)
  })
})
