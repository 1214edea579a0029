import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Role } from '#shared/model/index.ts'
import { rawRequest } from './api-raw.ts'
import { type SampleApi, startApi, TOKEN } from './api-sample.ts'

let api: SampleApi
afterEach(() => api[Symbol.asyncDispose]())

/** Another address of this machine, on the port of the API. */
const MESH = '127.0.0.2'
async function start(role: Role | null = null): Promise<string> {
  api = await startApi({ role: () => role })
  await api.api.listenForNodes([MESH])
  return `http://${MESH}:${new URL(api.url).port}`
}
const bearer = { authorization: `Bearer ${TOKEN}` }

test('at an address for nodes, nodes are answered and nobody else, whatever they show or call it', async () => {
  const url = await start()
  expect((await rawRequest(url, { path: '/v1/peer/node' })).status).toBe(200)
  for (const path of [
    '/v1/jobs',
    '/health',
    '/openapi.json',
    '/v1/peer/../jobs',
    '/v1/peer/..%2fjobs',
    '//v1/peer/x',
    '/v1/peerage',
  ])
    for (const host of [MESH, 'localhost', '127.0.0.1:8080']) {
      const { status } = await rawRequest(url, { path, headers: { ...bearer, host } })
      expect([path, status === 403 || status === 404]).toEqual([path, true])
    }
  const page = await rawRequest(url, { path: '/v1/peer/node', headers: { origin: 'https://evil.example' } })
  expect(page.status).toBe(403)
  const stream = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`, { headers: { ...bearer, host: 'localhost' } })
  await expect(new Promise((resolve, reject) => stream.on('open', resolve).on('error', reject))).rejects.toThrow()
  expect((await api.request('/v1/jobs')).status).toBe(200)
})

test('addresses come and go while it runs; one that this machine does not have is told, and keeps no other away', async () => {
  const url = await start()
  await expect(api.api.listenForNodes([MESH, '192.0.2.77'])).rejects.toThrow(/no such address/)
  expect((await rawRequest(url, { path: '/v1/peer/node' })).status).toBe(200)
  await api.api.listenForNodes(['127.0.0.3'])
  await expect(rawRequest(url, { path: '/v1/peer/node' })).rejects.toThrow()
  expect((await rawRequest(url.replace(MESH, '127.0.0.3'), { path: '/v1/peer/node' })).status).toBe(200)
})

test('nothing more is listened on where the API listens everywhere anyway, nor once it is closed', async () => {
  api = await startApi({ config: { host: '0.0.0.0' } })
  await api.api.listenForNodes([MESH])
  await api.api.close(0)
  await api.api.listenForNodes([MESH])
  await expect(rawRequest(`http://${MESH}:${new URL(api.url).port}`, { path: '/v1/peer/node' })).rejects.toThrow('ECONNREFUSED')
})

const said = async (url: string, method: string, path: string, headers: Record<string, string> = {}) => {
  const body = method === 'GET' ? {} : { body: '{}', headers: { 'content-type': 'application/json', ...headers } }
  return (await rawRequest(url, { method, path, headers, ...body })).status
}
const JOB = '/v1/jobs/0123456789abcd'

test.each([
  // 422 and 200 are answers of the operation itself.
  ['viewer', 200, 403, 403],
  ['runner', 200, 422, 403],
  ['admin', 200, 422, 200],
] as const)('whom a mesh makes a %s may do that there, without a token', async (role, see, run, rule) => {
  const url = await start(role)
  expect(await said(url, 'GET', '/v1/jobs')).toBe(see)
  expect(await said(url, 'GET', JOB)).toBe(see)
  expect(await said(url, 'POST', '/v1/jobs')).toBe(run)
  expect(await said(url, 'POST', '/v1/prune')).toBe(rule)
})

test('a role counts where a mesh is let in, under its own address, and for no page', async () => {
  const url = await start('admin')
  for (const headers of [{ host: 'evil.example' }, { host: 'localhost' }, { origin: 'https://evil.example' }, { origin: url }])
    expect([headers, await said(url, 'GET', '/v1/jobs', headers as Record<string, string>)]).toEqual([headers, 403])
  expect(await said(api.url, 'GET', '/v1/jobs')).toBe(401)
  const stream = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`)
  await expect(new Promise((resolve, reject) => stream.on('open', resolve).on('error', reject))).rejects.toThrow()
})

test('the token of the node makes nobody its owner there', async () => {
  const url = await start('viewer')
  expect(await said(url, 'POST', '/v1/prune', bearer)).toBe(403)
})

test('strangers at the address of a node use up their own allowance, and a node only its own', async () => {
  api = await startApi({ config: { requestsPerMinute: 3 } })
  const ask = (authorization: string) => rawRequest(api.url, { path: '/v1/peer/card', headers: { authorization } })
  const wrong = [await ask('Skein x'), await ask('Skein x'), await ask('Skein x'), await ask('Skein x')]
  expect(wrong.map(({ status }) => status)).toEqual([401, 401, 401, 429])
  expect(wrong[0]?.headers.connection).toBe('close')
  const right = [
    await ask(`Skein ${TOKEN}`),
    await ask(`Skein ${TOKEN}`),
    await ask(`Skein ${TOKEN}`),
    await ask(`Skein ${TOKEN}`),
  ]
  expect(right.map(({ status }) => status)).toEqual([200, 200, 200, 429])
  // Not by calling itself a node where none is asked.
  expect((await rawRequest(api.url, { path: '/health', headers: { authorization: 'Skein x' } })).status).toBe(429)
})
