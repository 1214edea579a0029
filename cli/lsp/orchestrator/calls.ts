import {
  ApiError,
  type Client,
  LspCall,
  type Operation,
  type OperationName,
  operations,
  type RawAnswer,
  type Response_,
} from '#shared/contract/index.ts'
import { CliError } from '../../exit-codes.ts'

/** Longest body that is answered as a whole. */
const LONGEST_WHOLE_BYTES = 16 * 1024 * 1024

export interface CallDeps {
  /** @throws {ApiError} while there is no server */
  client(): Promise<Client>
  /** Takes the parts of a body that the client wants in pieces. */
  piece(pieces: number, base64: string): Promise<void>
  readonly signal: AbortSignal
}

/** Carries out a call of the client. @throws {ApiError} for every failure */
export async function carryOut(given: unknown, { client, piece, signal }: CallDeps): Promise<unknown> {
  const parsed = LspCall.safeParse(given)
  if (!parsed.success) throw new ApiError('invalid_request', `This is no call: ${parsed.error.issues[0]?.message}.`)
  const { operation: name, input = {}, pieces } = parsed.data
  const operation: Operation | undefined = Object.hasOwn(operations, name) ? operations[name as OperationName] : undefined
  if (!operation || operation.access === 'peer')
    throw new ApiError('not_found', `The API has no operation ${JSON.stringify(name)} for an editor.`)
  try {
    const call = (await client())[name as OperationName] as (args: object, options: object) => Promise<unknown>
    const answer = await call(input, { signal })
    if ('schema' in operation.answer) return answer
    return await rawAnswer(answer as Response_, pieces === undefined ? null : base64 => piece(pieces, base64))
  } catch (cause) {
    throw asProblem(cause)
  }
}

async function rawAnswer(response: Response_, piece: ((base64: string) => Promise<void>) | null): Promise<RawAnswer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    if (piece) {
      await piece(Buffer.from(chunk).toString('base64'))
      continue
    }
    bytes += chunk.byteLength
    if (bytes > LONGEST_WHOLE_BYTES)
      throw new ApiError('body_too_large', 'The answer has more than 16 MiB.', { remedy: 'Ask for it in `pieces`.' })
    chunks.push(chunk)
  }
  const size = response.headers.get('skein-log-size')
  return {
    status: response.status,
    mediaType: response.headers.get('content-type'),
    logSize: size === null ? null : Number(size),
    base64: Buffer.concat(chunks).toString('base64'),
  }
}

function asProblem(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  if (cause instanceof CliError)
    return new ApiError('not_ready', cause.message, { cause, ...(cause.remedy === undefined ? {} : { remedy: cause.remedy }) })
  if (cause instanceof Error && cause.name === 'ZodError')
    return new ApiError('internal', 'The server answered in a form that this version of Skein does not know.', {
      remedy: 'Use the same version of Skein there and here.',
      cause,
    })
  return new ApiError('not_ready', `The call broke off: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
}
