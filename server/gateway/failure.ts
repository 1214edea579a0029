import type { ServerResponse } from 'node:http'
import type { Log } from '#server/telemetry/index.ts'
import { ApiError } from '#shared/contract/index.ts'

/** What a caller may know of an error. One that was not meant for callers is logged, and not told. */
export function toApiError(error: unknown, log: Log): ApiError {
  if (error instanceof ApiError) return error
  log.error({ err: error }, 'A request through a gateway failed')
  return new ApiError('internal', 'The gateway failed; the server log tells why.')
}

/** Answers with a problem document, or breaks off an answer that has begun. */
export function fail(response: ServerResponse, error: unknown, log: Log): void {
  // Nobody is there to tell.
  if (response.destroyed) return
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, headers, body } = problemBody(toApiError(error, log))
  response.writeHead(status, headers).end(body)
}

/** OpenAI clients read `error.message`, others the problem's own fields. */
export function problemBody(error: ApiError): { status: number; headers: Record<string, string>; body: string } {
  const problem = error.toProblem()
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      ...(problem.retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(problem.retryAfterMs / 1000)) }),
    },
    body: JSON.stringify({ ...problem, error: { message: problem.detail, type: problem.code, code: problem.code } }),
  }
}
