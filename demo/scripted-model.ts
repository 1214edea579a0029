import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'

const Arguments = z.record(z.string(), z.unknown())
const match = z.string().optional().describe('What the last message to the model must contain, or the script has gone astray.')
/**
 * One turn of a scripted model: a text, or a tool call. Agents name their tools differently, so a call lists one form for each
 * name it may have; the first that the request offers is used.
 */
const Step = z.union([
  z.strictObject({ text: z.string(), match }),
  z.strictObject({
    tools: z.record(z.string(), Arguments).describe('Arguments by the name of a tool.'),
    text: z.string().optional(),
    match,
  }),
])
export type Step = z.infer<typeof Step>

const Request = z.looseObject({
  stream: z.boolean().optional(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })),
  tools: z.array(z.looseObject({ function: z.looseObject({ name: z.string() }) })).optional(),
})
type Request = z.infer<typeof Request>

/** A session that mends `price.js` of the demo: reads, edits, runs the test, and says so. */
export const FIX_TEST_SESSION: readonly Step[] = [
  { text: 'I look at the function first.', tools: { read: { path: 'price.js', filePath: 'price.js' } } },
  {
    text: 'The percentage is used as a fraction: it has to be divided by 100.',
    tools: {
      edit: {
        path: 'price.js',
        filePath: 'price.js',
        oldText: 'cents - cents * percent',
        oldString: 'cents - cents * percent',
        newText: 'cents - (cents * percent) / 100',
        newString: 'cents - (cents * percent) / 100',
      },
    },
  },
  { tools: { run: { command: 'node --test' }, bash: { command: 'node --test', description: 'Run the tests' } } },
  { text: 'discounted() took the percentage as a fraction. It divides by 100 now, and the test passes.' },
]

export interface ScriptedModel extends AsyncDisposable {
  /** Without a path; the API is below `/v1`. */
  readonly url: string
  /** Every conversation that was sent, in order. */
  readonly requests: readonly Request[]
  close(): Promise<void>
}

/**
 * A model that plays a session from a script, over OpenAI's wire format, on loopback. Agents also ask for titles and summaries; a
 * request that offers no tools gets a fixed text and uses up no step. A request that does not fit the script is answered with 400 and
 * what would have fitted.
 * @param source the steps, or the path of a JSON file with a list of them.
 */
export async function startScriptedModel(
  source: ({ steps: readonly Step[] } | { file: string }) & { port?: number },
): Promise<ScriptedModel> {
  const script = z.array(Step).parse('file' in source ? JSON.parse(await readFile(source.file, 'utf8')) : source.steps)
  const requests: Request[] = []
  let next = 0

  const server = createServer((request, response) => {
    answer(request, response).catch(error => {
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { message: String(error) } }))
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/v1/models')
      return json(response, { object: 'list', data: [{ id: 'scripted', object: 'model', created: 0, owned_by: 'demo' }] })
    if (request.url !== '/v1/chat/completions') {
      response.writeHead(404).end()
      return
    }
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const asked = Request.parse(JSON.parse(body))
    requests.push(asked)
    const offered = (asked.tools ?? []).map(tool => tool.function.name)
    if (offered.length === 0) return reply(response, asked, { text: 'Fix the failing test' }, offered)
    const step = script[next] ?? { text: 'Nothing is left to do.' }
    const last = JSON.stringify(asked.messages.at(-1)?.content ?? '')
    if (step.match !== undefined && !last.includes(JSON.stringify(step.match).slice(1, -1)))
      throw new Error(`Step ${next + 1} of the script comes after "${step.match}", and this is ${last.slice(0, 500)}`)
    reply(response, asked, step, offered)
    next += 1
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(source.port ?? 0, '127.0.0.1', resolve)
  })
  const close = async () => {
    server.closeAllConnections()
    await new Promise<void>(resolve => server.close(() => resolve()))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close, [Symbol.asyncDispose]: close }
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function reply(response: ServerResponse, asked: Request, step: Step, offered: readonly string[]): void {
  const call = 'tools' in step ? Object.entries(step.tools).find(([name]) => offered.includes(name)) : undefined
  if ('tools' in step && !call)
    throw new Error(`The script calls one of ${Object.keys(step.tools).join(', ')}; the agent offers ${offered.join(', ')}`)
  const toolCalls = call
    ? [
        {
          index: 0,
          id: `call_${Date.now()}_${Math.random().toString(36).slice(2)}`,
          type: 'function',
          function: { name: call[0], arguments: JSON.stringify(call[1]) },
        },
      ]
    : undefined
  const reason = call ? 'tool_calls' : 'stop'
  const usage = {
    prompt_tokens: JSON.stringify(asked.messages).length >> 2,
    completion_tokens: JSON.stringify(step).length >> 2,
    total_tokens: 0,
  }
  usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
  const head = { id: 'chatcmpl-scripted', created: 0, model: 'scripted' }
  const message = { role: 'assistant', content: step.text ?? '', ...(toolCalls ? { tool_calls: toolCalls } : {}) }
  if (!asked.stream) {
    json(response, { ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: reason }], usage })
    return
  }

  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (choices: unknown[], extra: object = {}) =>
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...extra })}\n\n`)
  send([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }])
  for (const word of (step.text ?? '').split(/(?<= )/)) send([{ index: 0, delta: { content: word }, finish_reason: null }])
  for (const part of inPieces(toolCalls)) send([{ index: 0, delta: { tool_calls: [part] }, finish_reason: null }])
  send([{ index: 0, delta: {}, finish_reason: reason }])
  if (asked.stream_options?.include_usage) send([], { usage })
  response.end('data: [DONE]\n\n')
}

/** Tool calls as real models stream them: the name first, then the arguments bit by bit. */
function inPieces(
  calls: readonly { index: number; id: string; type: string; function: { name: string; arguments: string } }[] = [],
) {
  return calls.flatMap(({ index, id, type, function: { name, arguments: text } }) => {
    const middle = text.length >> 1
    return [
      { index, id, type, function: { name, arguments: '' } },
      { index, function: { arguments: text.slice(0, middle) } },
      { index, function: { arguments: text.slice(middle) } },
    ]
  })
}
