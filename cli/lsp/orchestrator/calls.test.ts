import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { ApiError, type Client } from '#shared/contract/index.ts'
import { CliError, EXIT } from '../../exit-codes.ts'
import { carryOut } from './calls.ts'

const MIB = new Uint8Array(1024 * 1024)

/** Calls an operation of a server whose every answer is what `answer` gives. */
function call(operation: string, answer: () => unknown, more: object = {}) {
  const pieces: string[] = []
  const client = new Proxy({} as Client, { get: (_, name) => (name === 'then' ? undefined : async () => answer()) })
  const outcome = carryOut(
    { operation, ...more },
    {
      client: async () => client,
      async piece(number, base64) {
        pieces.push(`${number} ${Buffer.from(base64, 'base64').length}`)
      },
      signal: new AbortController().signal,
    },
  ).catch(error => {
    if (!(error instanceof ApiError)) throw error
    return [error.code, error.message, error.extras.remedy]
  })
  return { outcome, pieces }
}
const body = (chunks: number, end?: Error) => ({
  status: 200,
  headers: new Headers({ 'content-type': 'application/octet-stream', 'skein-log-size': '9' }),
  body: (async function* () {
    for (let n = 0; n < chunks; n++) yield MIB
    if (end) throw end
  })(),
})

describe('a call', () => {
  it('answers with a document as it is, and with bytes as a whole up to 16 MiB', async () => {
    expect(await call('listAgents', () => ({ items: [] })).outcome).toEqual({ items: [] })
    const whole = { status: 200, mediaType: 'application/octet-stream', logSize: 9, base64: Buffer.from(MIB).toString('base64') }
    expect(await call('readLog', () => body(1)).outcome).toEqual(whole)
    expect(await call('readLog', () => body(17)).outcome).toEqual([
      'body_too_large',
      expect.any(String),
      'Ask for it in `pieces`.',
    ])
    const { outcome, pieces } = call('readLog', () => body(17), { pieces: 4 })
    expect(await outcome).toMatchObject({ base64: '' })
    expect(pieces).toEqual(Array(17).fill(`4 ${MIB.length}`))
  })

  it('that fails says why, whatever failed', async () => {
    const fails = (error: unknown) =>
      call('listAgents', () => {
        throw error
      }).outcome
    const gone = new CliError(EXIT.unavailable, 'It is gone.', { remedy: 'Start it.' })
    expect(await fails(new ApiError('not_found', 'No.'))).toEqual(['not_found', 'No.', undefined])
    expect(await fails(gone)).toEqual(['not_ready', 'It is gone.', 'Start it.'])
    expect(await fails(z.string().safeParse(1).error)).toEqual([
      'internal',
      expect.stringContaining('does not know'),
      expect.any(String),
    ])
    expect(await call('readLog', () => body(1, new TypeError('terminated'))).outcome).toEqual([
      'not_ready',
      'The call broke off: terminated',
      undefined,
    ])
  })

  it('is one of an operation for editors', async () => {
    const none = ['not_found', expect.stringContaining('no operation'), undefined]
    for (const name of ['announce', 'constructor', '__proto__', '']) expect(await call(name, () => 1).outcome).toEqual(none)
    const wrong = call('listAgents', () => 1, { input: { what: 1 } }).outcome
    expect(await wrong).toEqual(['invalid_request', expect.stringContaining('This is no call'), undefined])
  })
})
