import { ApiError } from '#shared/contract/index.ts'

interface Schema<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } }
}

/** A request to a model, read by its schema. @throws {ApiError} `invalid_request`, with every wrong field */
export function parseRequest<T>(value: unknown, schema: Schema<T>): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: `/${path.map(String).join('/')}`, message }))
  throw new ApiError('invalid_request', issues.map(issue => `${issue.path}: ${issue.message}`).join('; '), { issues })
}
