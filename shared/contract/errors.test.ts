import { describe, expect, it } from 'vitest'
import { ApiError, ERROR_CODES, Problem } from './errors.ts'

describe('errors', () => {
  it.each(ERROR_CODES)('%s survives the way over the wire', code => {
    const error = new ApiError(code, 'what happened', { remedy: 'what to do', missingBytes: 5, cause: new Error('inner') })
    const problem = Problem.parse(JSON.parse(JSON.stringify(error.toProblem())))
    const back = ApiError.fromProblem(problem)
    expect(back).toMatchObject({
      code,
      message: 'what happened',
      status: error.status,
      extras: { remedy: 'what to do', missingBytes: 5 },
    })
    expect(JSON.stringify(problem)).not.toContain('inner')
  })
})
