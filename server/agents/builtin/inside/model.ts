import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Answer, BrokenAnswer, readStream, readWhole } from './completion.ts'
import type { Message } from './conversation.ts'

const MAX_TRIES = 6
/** Longest pause between two tries, ms. */
const MAX_PAUSE_MS = 60_000
const MAX_SAID = 2_000

/** The conversation is longer than the model takes. */
export class TooLong extends Error {}

/** Asks a model for its next turn. @throws {TooLong} {Error} that says what the endpoint said. */
export type Ask = (conversation: {
  messages: readonly Message[]
  tools: readonly unknown[]
  onText(text: string): void
}) => Promise<Answer>

/** A model behind the sandbox's way out. Asks again with growing pauses while the model is busy or its answer breaks off. */
export function createModel(
  { baseUrl, token, model }: { baseUrl: string; token: string; model: string },
  { pause, note }: { pause(ms: number): Promise<void>; note(line: string): void },
): Ask {
  return async ({ messages, tools, onText }) => {
    const body = JSON.stringify({ model, messages, tools, stream: true })
    for (let attempt = 1; ; attempt++) {
      const failure = await tryOnce()
      if (!('reason' in failure)) return failure
      if (!failure.mayPass || attempt === MAX_TRIES) throw new Error(`The model did not answer: ${failure.reason}`)
      const waitMs = Math.min(failure.retryAfterMs ?? 1000 * 2 ** (attempt - 1), MAX_PAUSE_MS)
      note(`the model did not answer (${failure.reason}); asking again in ${Math.ceil(waitMs / 1000)} s`)
      await pause(waitMs)
    }

    async function tryOnce(): Promise<Answer | Failure> {
      try {
        const response = await post(`${baseUrl}/chat/completions`, token, body)
        const { statusCode = 0, headers } = response
        if (statusCode !== 200) return failureOf(statusCode, headers['retry-after'], await text(response))
        return headers['content-type']?.startsWith('text/event-stream')
          ? await readStream(response, onText)
          : readWhole(await text(response), onText)
      } catch (error) {
        if (error instanceof BrokenAnswer || isConnectionError(error)) return { reason: error.message, mayPass: true }
        throw error
      }
    }
  }
}

interface Failure {
  readonly reason: string
  /** Whether asking again may help. */
  readonly mayPass: boolean
  readonly retryAfterMs?: number
}

/** @throws {TooLong} */
function failureOf(status: number, retryAfter: string | undefined, said: string): Failure {
  const reason = `${status} ${said.slice(0, MAX_SAID)}`
  // Providers agree on no code for this, but all of them speak of it: OpenAI's context_length_exceeded, Ollama's and vLLM's texts.
  if ((status === 400 || status === 413 || status === 422) && /context|too (long|large)|maximum/i.test(said))
    throw new TooLong(reason)
  const seconds = Number(retryAfter)
  return {
    reason,
    mayPass: status === 429 || status >= 500,
    ...(seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}),
  }
}

const isConnectionError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && /^E[A-Z]+$/.test((error as NodeJS.ErrnoException).code ?? '')

/** Not `fetch`: it gives up when a model thinks for five minutes before it says anything. */
function post(url: string, token: string, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      authorization: `Bearer ${token}`,
    }
    request(url, { method: 'POST', headers, agent: false }, resolve).once('error', reject).end(body)
  })
}
