// Cursors are opaque to callers: the last of what was seen, marked so that nothing else passes for one.
import { ApiError } from '#shared/contract/index.ts'

/** @param seq sequence number of a job */
export const encodeCursor = (seq: number): string => Buffer.from(`jobs:${seq}`).toString('base64url')

/** @throws {ApiError} */
export function decodeCursor(cursor: string): number {
  const match = /^jobs:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (match?.[1]) return Number(match[1])
  throw notOurs()
}

interface SpecPlace {
  readonly feature: string
  readonly repository: string
}
/** No name of a feature has a slash in it. */
export const encodeSpecCursor = ({ feature, repository }: SpecPlace): string =>
  Buffer.from(`specs:${feature}/${repository}`).toString('base64url')

/** @throws {ApiError} */
export function decodeSpecCursor(cursor: string): SpecPlace {
  const [, feature, repository] = /^specs:([^/]*)\/(.*)$/s.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (feature !== undefined && repository !== undefined) return { feature, repository }
  throw notOurs()
}

const notOurs = () =>
  new ApiError('invalid_request', 'The cursor was not made by this API.', {
    issues: [{ path: '/query/cursor', message: 'must be a nextCursor of an earlier answer' }],
  })
