import type { ServerResponse } from 'node:http'
import type { Log } from '#server/telemetry/index.ts'
import { ApiError } from '#shared/contract/index.ts'

/** Answers with a problem document, or breaks off an answer that has begun. */
export function fail(response: ServerResponse, error: unknown, log: Log): void {
  if (!(error instanceof ApiError)) log.error({ err: error }, 'A request through a gateway failed')
  if (response.headersSent) {
    response.destroy()
    return
  }
  const problem = (
    error instanceof ApiError ? error : new ApiError('internal', 'The gateway failed; the server log tells why.')
  ).toProblem()
  // OpenAI clients read `error.message`, others the problem's own fields.
  response.writeHead(problem.status, { 'content-type': 'application/problem+json', connection: 'close' })
  response.end(JSON.stringify({ ...problem, error: { message: problem.detail, type: problem.code, code: problem.code } }))
}
