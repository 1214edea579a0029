import { afterEach, describe, expect, test } from 'vitest'
import { Problem } from '#shared/contract/index.ts'
import type { Config } from '#shared/model/index.ts'
import { virtualClock } from '../fakes/clock.ts'
import { type RawAnswer, rawRequest } from './api-raw.ts'
import { type SampleApi, startApi, TOKEN } from './api-sample.ts'

const APP = 'https://app.example'
const bearer = { authorization: `Bearer ${TOKEN}` }
const clock = virtualClock()

let api: SampleApi
const start = async (config: Partial<Config['api']> = {}) => {
  api = await startApi({ config, clock })
  return { api, host: new URL(api.url).host }
}
afterEach(() => api[Symbol.asyncDispose]())

const get = (headers: Record<string, string>, path = '/v1/jobs', method = 'GET') =>
  rawRequest(api.url, { path, method, headers: { ...bearer, ...headers } })
const codeOf = ({ text }: RawAnswer) => Problem.parse(JSON.parse(text)).code

describe('Host', () => {
  test('names that are not ours are refused everywhere, open paths too', async () => {
    await start()
    for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example'])
      for (const path of ['/health', '/v1/jobs', '/nowhere']) {
        const answer = await get({ host }, path)
        expect([answer.status, codeOf(answer)]).toEqual([403, 'forbidden'])
      }
  })

  test('what is no name at all is refused', async () => {
    await start()
    for (const host of ['localhost:80:80', 'localhost/x', 'a b', '@', 'localhost@evil.example'])
      expect((await get({ host })).status).toBeGreaterThanOrEqual(400)
  })

  test('loopback names and those configured are ours', async () => {
    const { host } = await start({ allowedHosts: ['desk.tailnet.example'] })
    const port = host.split(':')[1]
    for (const name of ['localhost', '127.0.0.1', '[::1]', 'desk.tailnet.example'])
      for (const full of [name, `${name}:${port}`]) expect((await get({ host: full })).status).toBe(200)
  })
})

describe('Origin', () => {
  test('pages of unknown origin are refused before anything is done, whatever they ask', async () => {
    await start({ corsAllowedOrigins: [APP] })
    for (const origin of ['https://evil.example', 'null', 'http://app.example', `${APP}.evil`])
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const answer = await get({ origin, 'access-control-request-method': 'POST' }, '/v1/jobs', method)
        expect([answer.status, codeOf(answer)]).toEqual([403, 'forbidden'])
        expect(answer.headers['access-control-allow-origin']).toBeUndefined()
      }
  })

  test('pages of a listed origin may read answers, errors too', async () => {
    await start({ corsAllowedOrigins: [APP] })
    for (const path of ['/v1/jobs', '/nowhere', '/v1/jobs?limit=x']) {
      const { headers } = await get({ origin: APP }, path)
      expect(headers).toMatchObject({ 'access-control-allow-origin': APP, vary: 'Origin' })
      expect(headers['access-control-allow-credentials']).toBeUndefined()
    }
  })

  test('a preflight is told what the path takes, without a token', async () => {
    await start({ corsAllowedOrigins: [APP] })
    const { status, headers } = await rawRequest(api.url, {
      path: '/v1/jobs',
      method: 'OPTIONS',
      headers: { origin: APP, 'access-control-request-method': 'POST', 'access-control-request-private-network': 'true' },
    })
    expect(status).toBe(204)
    expect(headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-allow-headers': expect.stringContaining('idempotency-key'),
      'access-control-allow-private-network': 'true',
    })
  })

  test('pages this node serves itself may call; the same page under another port may not', async () => {
    const { host } = await start()
    expect((await get({ origin: `http://${host}` })).status).toBe(200)
    expect((await get({ origin: 'http://127.0.0.1:1' })).status).toBe(403)
  })

  test('a star lets every page call, and names it', async () => {
    await start({ corsAllowedOrigins: ['*'] })
    const { status, headers } = await get({ origin: 'https://any.example' })
    expect([status, headers['access-control-allow-origin']]).toEqual([200, 'https://any.example'])
  })
})

describe('how often', () => {
  test('a caller past its allowance is told when to come back, and may then', async () => {
    await start({ requestsPerMinute: 3 })
    for (let i = 0; i < 3; i++) expect((await get({})).status).toBe(200)
    const refused = await get({})
    expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([429, 'too_many_requests', '20'])
    expect(Problem.parse(JSON.parse(refused.text)).retryAfterMs).toBe(20_000)
    clock.advance(20_000)
    expect((await get({})).status).toBe(200)
    expect((await get({})).status).toBe(429)
  })

  test('guesses share one allowance, which is not the owner’s', async () => {
    await start({ requestsPerMinute: 5 })
    const guesses = Array.from({ length: 8 }, (_, i) => get({ authorization: `Bearer guess-${i}` }))
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([401, 401, 401, 401, 401, 429, 429, 429])
    expect((await get({})).status).toBe(200)
  })

  test('paths that are not there and bodies that are wrong count too', async () => {
    await start({ requestsPerMinute: 2 })
    await get({}, '/nowhere')
    await get({}, '/v1/jobs', 'POST')
    expect((await get({})).status).toBe(429)
  })
})
