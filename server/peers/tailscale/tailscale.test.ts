import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { tailscaleMesh } from './tailscale.ts'

const fixture = (name: string) => readFileSync(new URL(`../../../test/fixtures/tailscale/${name}`, import.meta.url), 'utf8')
const signal = new AbortController().signal

let directory: string
let socket: string
let daemon: Server | null = null
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailscale-'))
  socket = join(directory, 'sock')
})
afterEach(async () => {
  await stop()
  rmSync(directory, { recursive: true, force: true })
})

/** A daemon of our own on a Unix socket. */
async function start(answer: RequestListener): Promise<void> {
  const server = createServer(answer)
  daemon = server
  await new Promise<void>(resolve => server.listen(socket, resolve))
}
async function stop(): Promise<void> {
  const server = daemon
  daemon = null
  if (!server) return
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}

const mesh = (clock = virtualClock(), path = '') => tailscaleMesh({ platform: 'linux', socket, path, clock })

/** A `tailscale` command that prints what is in a file. @returns the PATH it is on */
function installCommand(name: string, body: string): string {
  const path = join(directory, 'bin')
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, name), body)
  chmodSync(join(path, name), 0o755)
  return path
}

describe('view', () => {
  test('asks as LocalAPI wants to be asked', async () => {
    const asked: unknown[] = []
    await start((request, response) => {
      asked.push([request.method, request.url, request.headers.host, request.headers['sec-tailscale']])
      response.end(fixture('status.json'))
    })
    const view = await mesh().view(signal)
    expect(view).toMatchObject({ state: 'running', hasInterface: true, self: { name: 'node-a', isOnline: true } })
    expect(view.state === 'running' && view.members.map(({ name }) => name).sort()).toEqual(['laptop-alice', 'node-b'])
    expect(asked).toEqual([['GET', '/localapi/v0/status', 'local-tailscaled.sock', 'localapi']])
  })

  test.each([
    ['status-stopped.json', 'stopped', /tailscale up/],
    ['status-needs-login.json', 'needs_login', /tailscale up/],
  ])('%s is an outage with a way out', async (name, state, fix) => {
    await start((_, response) => response.end(fixture(name)))
    expect(await mesh().view(signal)).toMatchObject({ state, fix: expect.stringMatching(fix) })
  })

  test('nothing there is no fault; a service that does not run is', async () => {
    expect(await mesh().view(signal)).toMatchObject({ state: 'absent' })
    const path = installCommand('tailscale', '#!/bin/sh\nexit 1\n')
    expect(await mesh(virtualClock(), path).view(signal)).toMatchObject({
      state: 'stopped',
      fix: expect.stringContaining('tailscaled'),
    })
  })

  test.each([
    [403, 'access denied', 'no_permission'],
    [500, 'it broke', 'unreachable'],
    [200, '{"BackendState": 7}', 'unreachable'],
    [200, 'no JSON', 'unreachable'],
  ])('%i with %s is %s', async (status, body, state) => {
    await start((_, response) => response.writeHead(status).end(body))
    expect(await mesh().view(signal)).toMatchObject({ state, what: expect.stringContaining(socket) })
  })

  test('asks the command where the daemon does not let us in', async () => {
    await start((_, response) => response.writeHead(403).end())
    writeFileSync(join(directory, 'status.json'), fixture('status.json'))
    const path = installCommand(
      'tailscale',
      `#!/bin/sh\n[ "$*" = "--socket=${socket} status --json" ] && cat ${directory}/status.json\n`,
    )
    expect(await mesh(virtualClock(), path).view(signal)).toMatchObject({ state: 'running', self: { name: 'node-a' } })
  })
})

describe('whois', () => {
  test('asks by address and port, and knows nobody for what is nobody’s', async () => {
    const asked: unknown[] = []
    await start((request, response) => {
      const addr = new URL(request.url ?? '', 'http://x').searchParams.get('addr')
      asked.push(addr)
      if (addr?.includes('100.64.0.2')) response.end(fixture('whois-b.json'))
      else response.writeHead(404).end('no match for IP:port')
    })
    expect(await mesh().whois('::ffff:100.64.0.2', 4711, signal)).toMatchObject({ id: 'TESTCTRL00000002' })
    expect(await mesh().whois('fd7a:115c:a1e0::9', 4711, signal)).toBeNull()
    expect(await mesh().whois('100.64.0.9', undefined, signal)).toBeNull()
    expect(asked).toEqual(['100.64.0.2:4711', '[fd7a:115c:a1e0::9]:4711', '100.64.0.9'])
  })

  test('says why when it cannot ask', async () => {
    await expect(mesh().whois('100.64.0.2', 1, signal)).rejects.toThrow('Tailscale was not found.')
  })
})

test.each([
  ['100.64.0.1', true],
  ['::ffff:100.127.255.254', true],
  ['fd7a:115c:a1e0::1', true],
  ['100.63.255.255', false],
  ['127.0.0.1', false],
  ['fd7a:115c:a1e1::1', false],
  ['host.example', false],
])('%s is an address of a member: %s', (address, could) => {
  expect(mesh().mayOwn(address)).toBe(could)
})

describe('watch', () => {
  test('tells of changes as they come, also when one comes in pieces, and follows a daemon that was restarted', async () => {
    const clock = virtualClock()
    const over = new AbortController()
    let heard = 0
    let wake = () => {}
    const changes = async (count: number) => {
      while (heard < count) await new Promise<void>(resolve => (wake = resolve))
    }
    const lines = fixture('watch.jsonl')
    const answer: RequestListener = (request, response) => {
      if (!request.url?.startsWith('/localapi/v0/watch-ipn-bus?mask=')) return void response.writeHead(404).end()
      response.write(lines.slice(0, 2000))
      response.write(lines.slice(2000))
    }
    await start(answer)
    const path = installCommand('tailscale', '#!/bin/sh\nexit 1\n')
    const watched = mesh(clock, path)
    watched.watch(() => {
      heard += 1
      wake()
    }, over.signal)
    await changes(6)
    await stop()
    await start(answer)
    while (clock.waiting() === 0) await new Promise(resolve => setImmediate(resolve))
    clock.advance(1_000)
    await changes(13)
    over.abort()
  })

  test('gives up where nothing could come back', async () => {
    const clock = virtualClock()
    mesh(clock).watch(() => expect.unreachable(), signal)
    for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve))
    expect(clock.waiting()).toBe(0)
  })
})
