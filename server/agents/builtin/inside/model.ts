import * as z from 'zod'

const MAX_TRIES = 5

const ToolCall = z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string(), arguments: z.string() }) })
const Completion = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        message: z.looseObject({
          content: z.string().nullish(),
          reasoning_content: z.string().nullish(),
          tool_calls: z.array(ToolCall).nullish(),
        }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
})

export interface Answer {
  readonly text: string
  readonly thought: string
  readonly calls: readonly { id: string; name: string; arguments: string }[]
}

export type Message =
  | { role: 'system' | 'user'; content: string }
  | {
      role: 'assistant'
      content: string
      tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[]
    }
  | { role: 'tool'; tool_call_id: string; content: string }

/** Asks the model once, and again with growing pauses while it is busy. @throws {Error} that says what the endpoint said. */
export async function ask(input: {
  baseUrl: string
  token: string
  model: string
  messages: readonly Message[]
  tools: readonly unknown[]
}): Promise<Answer> {
  const { baseUrl, token, ...body } = input
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    })
    if (response.ok) return read(Completion.parse(await response.json()))
    const said = (await response.text()).slice(0, 2000)
    const isBusy = response.status === 429 || response.status >= 500
    if (!isBusy || attempt === MAX_TRIES) throw new Error(`The model endpoint answered ${response.status}: ${said}`)
    await new Promise(resolve => setTimeout(resolve, 500 * 2 ** attempt))
  }
}

function read({ choices }: z.infer<typeof Completion>): Answer {
  const message = choices[0]?.message
  const calls = (message?.tool_calls ?? []).map(call => ({
    id: call.id,
    name: call.function.name,
    arguments: call.function.arguments,
  }))
  return { text: message?.content ?? '', thought: message?.reasoning_content ?? '', calls }
}
