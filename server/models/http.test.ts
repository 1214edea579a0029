import { createServer } from 'node:net'
import { describe, expect, it, test } from 'vitest'
import { json, startStub } from '#test/fakes/stub-server.ts'
import { parseEndpoint, readBounded, reasonOf, send } from './http.ts'

const { signal } = new AbortController()
const GET = { method: 'GET', headers: {}, signal } as const

describe('an endpoint', () => {
  test.each([
    ['http://127.0.0.1:11434', 'http://127.0.0.1:11434', null],
    ['https://host/v1/', 'https://host/v1', null],
    ['http://me:p%40ss@host:1/', 'http://host:1', `Basic ${btoa('me:p@ss')}`],
  ])('%s keeps what authorises apart', (address, url, authorization) => {
    expect(parseEndpoint(address)).toEqual({ url, authorization })
  })
})

describe('a request to a provider', () => {
  it('uses a connection again, and another when the provider has closed it meanwhile', async () => {
    const ports = new Set<number | undefined>()
    await using stub = await startStub((_, response) => {
      ports.add(response.socket?.remotePort)
      json(response, {})
    })
    for (let i = 0; i < 3; i++) await (await send(stub.url, GET)).json()
    expect(ports.size).toBe(1)
  })

  it('is made once more when an idle connection turns out to be closed', async () => {
    let connections = 0
    const server = createServer(socket => {
      connections += 1
      let answered = 0
      socket.on('data', () => {
        // The second request on a connection finds it closed.
        if (answered++ > 0) socket.resetAndDestroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    try {
      await (await send(url, GET)).text()
      expect((await send(url, GET)).status).toBe(200)
      expect(connections).toBe(2)
    } finally {
      server.close()
    }
  })

  it('follows no redirect', async () => {
    await using elsewhere = await startStub((_, response) => json(response, {}))
    await using stub = await startStub((_, response) => void response.writeHead(302, { location: elsewhere.url }).end())
    expect((await send(stub.url, GET)).status).toBe(302)
    expect(elsewhere.requests).toEqual([])
  })

  it('ends with its signal before and after the answer begins', async () => {
    const gone = Promise.withResolvers<void>()
    await using stub = await startStub((request, response) => {
      if (request.path === '/silent') return
      response.write('part')
      response.on('close', () => gone.resolve())
    })
    for (const path of ['/silent', '/begun']) {
      const controller = new AbortController()
      const asked = send(stub.url + path, { ...GET, signal: controller.signal })
      if (path === '/silent') {
        while (stub.requests.length === 0) await new Promise(setImmediate)
        controller.abort(new Error('enough'))
        await expect(asked).rejects.toThrow('enough')
      } else {
        const response = await asked
        controller.abort(new Error('enough'))
        await expect(response.text()).rejects.toThrow()
        await gone.promise
      }
    }
    await expect(send(stub.url, { ...GET, signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
  })

  it('takes answers without a body, and bounds those with one', async () => {
    await using stub = await startStub(({ path }, response) => {
      if (path === '/empty') response.writeHead(204).end()
      else response.end('x'.repeat(1000))
    })
    expect((await send(`${stub.url}/empty`, GET)).body).toBeNull()
    expect(await readBounded(await send(stub.url, GET), 1000)).toHaveLength(1000)
    await expect(readBounded(await send(stub.url, GET), 999)).rejects.toMatchObject({ code: 'provider_failed' })
  })

  it('says why nobody answers', async () => {
    const url = await startStub(() => {}).then(async stub => {
      await stub[Symbol.asyncDispose]()
      return stub.url
    })
    await expect(send(url, GET)).rejects.toSatisfy(error => reasonOf(error).includes('ECONNREFUSED'))
    expect(reasonOf(new AggregateError([new Error('a'), new Error('b')], ''))).toBe('a; b')
  })
})
