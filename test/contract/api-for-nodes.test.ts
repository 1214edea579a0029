import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { rawRequest } from './api-raw.ts'
import { type SampleApi, startApi, TOKEN } from './api-sample.ts'

let api: SampleApi
afterEach(() => api[Symbol.asyncDispose]())

/** Another address of this machine, on the port of the API. */
const MESH = '127.0.0.2'
async function start(): Promise<string> {
  api = await startApi()
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
