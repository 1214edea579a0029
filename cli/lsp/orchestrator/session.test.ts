import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'
import type { Client, ServerState } from '#shared/contract/index.ts'
import { CliError, EXIT } from '../../exit-codes.ts'
import type { Located } from './locate.ts'
import { createSession } from './session.ts'

/** A server that says hello. @returns what `locate` finds, and what ends every connection */
async function startServer(): Promise<{ found: Located; drop: () => void }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  onTestFinished(() => {
    drop()
    server.close()
  })
  const drop = () => {
    for (const client of server.clients) client.terminate()
  }
  server.on('connection', socket => {
    const payload = { node: 'test', heartbeatMs: 10_000 }
    socket.send(JSON.stringify({ type: 'hello', ts: '2026-01-01T00:00:00.000Z', cursor: null, payload }))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { found: { url, token: null, client: {} as Client, version: '1', isLocal: true, logFile: null }, drop }
}

/** A session whose servers are what `tries` give, one after the other; the last again and again. */
function open(...tries: (() => Promise<Located>)[]) {
  const states: ServerState[] = []
  let look = () => {}
  let count = 0
  const session = createSession({
    locate: () => (tries[Math.min(count++, tries.length - 1)] ?? tries[0])?.() ?? Promise.reject(new Error('none')),
    logFile: '/log',
    changed(state) {
      states.push(state)
      look()
    },
    random: () => 0,
  })
  onTestFinished(() => session.close())
  const until = (name: ServerState['state'], nth = 1): Promise<void> =>
    new Promise(resolve => {
      look = () => {
        if (states.filter(({ state }) => state === name).length >= nth) resolve()
      }
      look()
    })
  return { session, states, until }
}
const { signal } = new AbortController()
const none = () => Promise.reject(new CliError(EXIT.unavailable, 'No server.', { remedy: 'Start one.' }))

it('waits while it starts, fails with the reason while it is lost, and is tried again at once when asked', async () => {
  const { found } = await startServer()
  const { session, states, until } = open(none, async () => found)
  const early = session.client(signal)
  session.start()
  await expect(early).rejects.toMatchObject({ code: 'not_ready', message: 'No server.', extras: { remedy: 'Start one.' } })
  await until('lost')
  session.reconnect()
  expect(await session.client(signal)).toBe(found.client)
  const { url, version, isLocal, logFile } = found
  expect(states).toEqual([
    { state: 'starting', reason: null },
    { state: 'lost', reason: 'No server.', remedy: 'Start one.', retryInMs: 250, logFile: '/log' },
    { state: 'starting', reason: 'No server.' },
    { state: 'ready', url, node: 'test', version, isLocal, logFile },
  ])
})

it('waits longer before each try, up to 30 seconds', async () => {
  const { session, states, until } = open(none)
  session.start()
  for (let nth = 1; nth <= 9; nth++) {
    await until('lost', nth)
    // What was told is followed by the pause.
    await new Promise(resolve => setImmediate(resolve))
    session.reconnect()
  }
  const pauses = states.flatMap(state => (state.state === 'lost' ? [state.retryInMs] : []))
  expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
})

it('looks for the server anew when the connection ends, and calls wait meanwhile', async () => {
  const first = await startServer()
  const second = await startServer()
  const { session, states, until } = open(
    async () => first.found,
    async () => second.found,
  )
  session.start()
  await until('ready')
  first.drop()
  await until('starting', 2)
  expect(await session.client(signal)).toBe(second.found.client)
  expect(states.map(({ state }) => state)).toEqual(['starting', 'ready', 'starting', 'ready'])
})

it('is ready once the server has answered for all that is followed', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  onTestFinished(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  const say = (type: string, payload: object, cursor: number | null) =>
    JSON.stringify({ type, ts: '2026-01-01T00:00:00.000Z', cursor, payload })
  const asked = Promise.withResolvers<() => void>()
  server.on('connection', socket => {
    socket.send(say('hello', { node: 'test', heartbeatMs: 10_000 }, null))
    socket.once('message', () => asked.resolve(() => socket.send(say('subscribed', { subscription: 1 }, 7))))
  })
  const { found } = await startServer()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { session, states, until } = open(async () => ({ ...found, url }))
  const { begun } = session.follow({ name: 'jobs' }, undefined, async () => {})
  session.start()
  const answer = await asked.promise
  await new Promise(resolve => setImmediate(resolve))
  expect(states.map(({ state }) => state)).toEqual(['starting'])
  answer()
  await until('ready')
  await begun
})

it('tells that a server of another kind is none', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  onTestFinished(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  server.on('connection', socket => socket.send('{"type":"welcome"}'))
  const { found } = await startServer()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { session, states, until } = open(async () => ({ ...found, url }))
  session.start()
  await until('lost')
  expect(states.at(-1)).toMatchObject({ reason: `The server at ${url} says what this version of Skein does not understand.` })
})

it('ends, with nothing left waiting', async () => {
  const { session } = open(none)
  const waiting = session.client(signal)
  const { begun } = session.follow({ name: 'peers' }, undefined, async () => {})
  session.close()
  await expect(waiting).rejects.toMatchObject({ code: 'not_ready' })
  await begun
})
