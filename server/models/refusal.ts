import * as z from 'zod'
import { ApiError } from '#shared/contract/index.ts'
import { readBounded } from './http.ts'

/** Providers' refusals in the forms in use: OpenAI's, Ollama's, vLLM's and FastAPI's. */
const Refusal = z.lazy(() =>
  z.union([
    z
      .looseObject({
        error: z.looseObject({
          message: z.string(),
          type: z.string().nullish().catch(null),
          code: z.string().nullish().catch(null),
          param: z.string().nullish().catch(null),
        }),
      })
      .transform(({ error }) => error),
    z.looseObject({ error: z.string() }).transform(({ error }) => ({ message: error })),
    z.looseObject({ message: z.string() }),
    z.looseObject({ detail: z.string() }).transform(({ detail }) => ({ message: detail })),
  ]),
)
const MAX_REFUSAL_BYTES = 64 * 1024

/**
 * What a caller is told of a provider's refusal. What the caller can mend (a conversation too long, a tool that is not known) passes
 * with its status and the provider's words; what only this node's owner can (a wrong key, a crash) is an error of ours.
 * @param provider who refused, as in "Provider openai".
 * @param secret is struck out of what the provider says.
 * @throws {ApiError} `provider_failed`
 */
export async function passRefusal(response: Response, provider: string, secret: string | null): Promise<Response> {
  const { status } = response
  // A provider repeats a part of a key it does not know, so its words on that go nowhere.
  if (status === 401 || status === 403) {
    throw new ApiError('provider_failed', `${provider} did not take this node’s key (it answered ${status}).`, {
      remedy: 'Set the right key in the environment that skein.yaml names, and start the server again.',
    })
  }
  if (status < 400)
    throw new ApiError('provider_failed', `${provider} redirects; its address in skein.yaml must be the final one.`)
  const said = Refusal.safeParse(parse(await readBounded(response, MAX_REFUSAL_BYTES)))
  const clean = (text: string) => (secret ? text.replaceAll(secret, '[key]') : text)
  const message = said.success ? clean(said.data.message) : `it answered ${status}`
  if (!said.success || status >= 500) throw new ApiError('provider_failed', `${provider} failed: ${message}`)
  const { type, code, param } = { type: null, code: null, param: null, ...said.data }
  const retry = response.headers.get('retry-after')
  return Response.json(
    {
      error: {
        message,
        type: type ? clean(String(type)) : 'invalid_request_error',
        code: code ? clean(String(code)) : null,
        param: param ? clean(String(param)) : null,
      },
    },
    { status, headers: retry && /^\d+$/.test(retry) ? { 'retry-after': retry } : {} },
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
