import * as z from 'zod'

/** Every error code the API may answer, with its HTTP status and title. The one list; docs and clients read it. */
export const ERRORS = {
  invalid_request: { status: 422, title: 'The request does not fit its schema' },
  malformed_body: { status: 400, title: 'The body is not the JSON it says it is' },
  unauthorized: { status: 401, title: 'A token is needed' },
  forbidden: { status: 403, title: 'Not allowed' },
  not_found: { status: 404, title: 'There is no such thing here' },
  method_not_allowed: { status: 405, title: 'This path does not take this method' },
  already_ended: { status: 409, title: 'The job has already ended' },
  not_ended: { status: 409, title: 'The job has not ended yet' },
  no_result: { status: 404, title: 'The job has no result' },
  already_answered: { status: 409, title: 'The request has already been answered' },
  idempotency_conflict: { status: 409, title: 'This Idempotency-Key was used for another request' },
  offset_out_of_range: { status: 416, title: 'The offset is past the end of the log' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  snapshot_failed: { status: 422, title: 'The repository could not be captured' },
  sandbox_unavailable: { status: 422, title: 'No sandbox can be made on this machine' },
  agent_missing: { status: 422, title: 'The agent is not usable on this machine' },
  secret_in_request: { status: 422, title: 'The request contains a secret of this node' },
  unknown_model: { status: 404, title: 'No provider offers this model' },
  provider_failed: { status: 502, title: 'The model provider did not answer as it should' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  out_of_space: { status: 507, title: 'The disk budget does not allow another job' },
  not_ready: { status: 503, title: 'The node is starting or stopping' },
  peer_unknown: { status: 404, title: 'This node knows no such peer' },
  peer_unreachable: { status: 502, title: 'The other node did not answer' },
  pairing_refused: { status: 403, title: 'The pairing code is not valid' },
  rotation_refused: { status: 409, title: 'The key cannot be changed so' },
  not_yours: { status: 409, title: 'The attempt is not under this lease' },
  base_moved: { status: 409, title: 'The document has changed since' },
  no_evidence: { status: 409, title: 'No job proves the task done' },
  edit_refused: { status: 422, title: 'The document cannot be changed so' },
  internal: { status: 500, title: 'Something went wrong on this node' },
} as const satisfies Record<string, { status: number; title: string }>

export type ErrorCode = keyof typeof ERRORS
export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]

/** RFC 9457 problem document. */
export const Problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(ERROR_CODES),
    remedy: z.string().optional(),
    issues: z
      .array(z.strictObject({ path: z.string().describe('JSON Pointer (RFC 6901) of the wrong field.'), message: z.string() }))
      .optional(),
    retryAfterMs: z.int().optional(),
    missingBytes: z.int().optional().describe('With out_of_space: how much would have to be freed.'),
  })
  .meta({ id: 'Problem' })
export type Problem = z.infer<typeof Problem>

type Extras = Partial<Pick<Problem, 'remedy' | 'issues' | 'retryAfterMs' | 'missingBytes'>> & { cause?: unknown }

/** The one exception the domain throws for a caller's eyes; a wire turns it into a problem document. */
export class ApiError extends Error {
  readonly code: ErrorCode
  readonly extras: Omit<Extras, 'cause'>

  constructor(code: ErrorCode, detail: string, { cause, ...extras }: Extras = {}) {
    super(detail, { cause })
    this.name = 'ApiError'
    this.code = code
    this.extras = extras
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  toProblem(): Problem {
    const { status, title } = ERRORS[this.code]
    return {
      type: `https://skein.dev/errors/${this.code.replaceAll('_', '-')}`,
      title,
      status,
      detail: this.message,
      code: this.code,
      ...this.extras,
    }
  }

  static fromProblem(problem: Problem): ApiError {
    const { remedy, issues, retryAfterMs, missingBytes } = problem
    return new ApiError(problem.code, problem.detail, {
      ...(remedy === undefined ? {} : { remedy }),
      ...(issues === undefined ? {} : { issues }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(missingBytes === undefined ? {} : { missingBytes }),
    })
  }
}
