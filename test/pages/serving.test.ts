import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Lifetime } from '#server/lib/lifetime.ts'
import { type PageServer, startServer } from './server.ts'

const life = new Lifetime()
let server: PageServer
beforeAll(async () => {
  server = await startServer(life, { WEB_PORT: '0' })
})
afterAll(() => life[Symbol.asyncDispose]())

const document = async () => {
  const answer = await fetch(server.url)
  return { answer, html: await answer.text() }
}

describe('the document', () => {
  it('needs no token, and is never kept', async () => {
    const { answer, html } = await document()
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(html).not.toContain(server.token)
  })
  it('lets nothing run but its own script, by a nonce that is another each time', async () => {
    const [one, two] = await Promise.all([document(), document()])
    const nonces = [one, two].map(({ html }) => /<script type="module" nonce="([^"]+)"/.exec(html)?.[1])
    expect(new Set(nonces).size).toBe(2)
    const policy = one.answer.headers.get('content-security-policy') ?? ''
    expect(policy).toContain(`script-src 'nonce-${nonces[0]}'`)
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"])
      expect(policy).toContain(part)
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
    expect(one.html).not.toMatch(/\son\w+=|style=/)
  })
  it('is given under no name that is not ours', async () => {
    const status = await new Promise(resolve => {
      request(server.url, { headers: { host: 'evil.example' } }, answer => resolve(answer.resume().statusCode)).end()
    })
    expect(status).toBe(403)
  })
})

describe('what it begins with', () => {
  it('is there, and may be kept for ever', async () => {
    const names = [...(await document()).html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, name]) => name ?? '')
    const hashed = names.filter(name => !name.endsWith('.svg'))
    expect(hashed).toHaveLength(2)
    for (const name of hashed) {
      const answer = await fetch(server.url + name)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
    const icon = await fetch(`${server.url}/assets/favicon.svg`)
    expect([icon.status, icon.headers.get('cache-control')]).toEqual([200, 'no-cache'])
  })
  it.each(['manifest.json', '..%2fskein.mjs', '..%2F..%2Fpackage.json', 'main.js', '%00'])('has no %s', async name => {
    const answer = await fetch(`${server.url}/assets/${name}`)
    expect(answer.status).toBe(404)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  })
})

describe('at WEB_PORT', () => {
  it('are the pages, and the API they ask, with its rules', async () => {
    const { webUrl } = server
    expect(webUrl).not.toBe(server.url)
    expect((await fetch(`${webUrl}/`)).status).toBe(200)
    expect((await fetch(`${webUrl}/v1/jobs`)).status).toBe(401)
    const headers = { authorization: `Bearer ${server.token}`, origin: `${webUrl}` }
    expect((await fetch(`${webUrl}/v1/jobs`, { headers })).status).toBe(200)
    expect((await fetch(`${webUrl}/v1/jobs`, { headers: { ...headers, origin: server.url } })).status).toBe(403)
  })
  it('is the stream', async () => {
    const socket = new WebSocket(`${server.webUrl?.replace('http', 'ws')}/v1/stream`, {
      headers: { authorization: `Bearer ${server.token}` },
    })
    const first = await new Promise(resolve => socket.once('message', data => resolve(JSON.parse(String(data)))))
    expect(first).toMatchObject({ type: 'hello' })
    socket.terminate()
  })
})
