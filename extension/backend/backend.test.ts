import { expect, it } from 'vitest'
import type { ServerState } from '#shared/contract/index.ts'
import { LSP_PROBLEM } from '#shared/contract/lsp.ts'
import { createBackend, type Followed, type Wire } from './backend.ts'

const READY: ServerState = { state: 'ready', url: 'http://n', node: 'n', version: '1', isLocal: true, logFile: null }
const LOST: ServerState = { state: 'lost', reason: 'it ended', remedy: 'Start it.', retryInMs: 1, logFile: null }

/** A connection that writes down what is asked, and says what it is told to. */
function fakeWire(answer: (method: string, params: unknown) => unknown = () => null) {
  const asked: [method: string, params: unknown][] = []
  const handlers = new Map<string, (params: unknown) => void>()
  const wire: Wire = {
    async request(method, params) {
      asked.push([method, params])
      return method === 'skein/getServerState' ? READY : answer(method, params)
    },
    onNotification(method, handler) {
      handlers.set(method, handler)
      return { dispose: () => handlers.delete(method) }
    },
  }
  return { wire, asked, say: (method: string, params: unknown) => handlers.get(method)?.(params) }
}
const event = (cursor: number) => ({ subscription: 1, cursor, item: { type: 'event', event: { seq: cursor } } })

it('goes on with its subscriptions over a new connection, from where they were', async () => {
  const backend = createBackend()
  const heard: Followed[] = []
  backend.follow({ name: 'jobs' }, undefined, followed => heard.push(followed))
  const first = fakeWire()
  await backend.attach(first.wire)
  expect(first.asked).toContainEqual(['skein/subscribe', { subscription: 1, topic: { name: 'jobs' } }])
  first.say('skein/stream', event(7))
  backend.detach({ state: 'starting', reason: null })
  first.say('skein/stream', event(8))
  const second = fakeWire()
  await backend.attach(second.wire)
  expect(second.asked).toContainEqual(['skein/subscribe', { subscription: 1, topic: { name: 'jobs' }, cursor: 7 }])
  expect(heard.map(({ cursor }) => cursor)).toEqual([7])
})

it('has calls wait for the first connection, and fail with the reason once it cannot be had', async () => {
  const backend = createBackend()
  const waiting = backend.call('health')
  backend.detach(LOST)
  await expect(waiting).rejects.toMatchObject({ problem: { code: 'not_ready', detail: 'it ended', remedy: 'Start it.' } })
  await expect(backend.call('health')).rejects.toThrow('it ended')
  backend.detach({ state: 'starting', reason: null })
  const second = backend.call('health')
  await backend.attach(fakeWire(() => ({ ok: true })).wire)
  expect(await second).toEqual({ ok: true })
})

it('gives problems as they were told, and takes a cancelled call for no failure', async () => {
  const problem = { type: 't', title: 'T', status: 404, code: 'not_found', detail: 'There is no such job.' }
  const backend = createBackend()
  const { wire } = fakeWire(method => {
    throw method === 'skein/doctor' ? { code: -32800, message: 'cancelled' } : { code: LSP_PROBLEM, data: problem }
  })
  await backend.attach(wire)
  await expect(backend.call('health')).rejects.toMatchObject({ problem, isAnswer: true })
  await expect(backend.doctor()).rejects.toMatchObject({ name: 'AbortError' })
})

it('tells a subscription that was refused why, and no other', async () => {
  const problem = { type: 't', title: 'T', status: 404, code: 'not_found', detail: 'There is no such job.' }
  const backend = createBackend()
  await backend.attach(
    fakeWire(() => {
      throw { code: LSP_PROBLEM, data: problem }
    }).wire,
  )
  const heard = await new Promise<Followed>(resolve => {
    backend.follow({ name: 'log', jobId: 'a'.repeat(14) }, 0, resolve)
  })
  expect(heard.item).toEqual({ type: 'error', problem })
})

it('hands pieces to the call they belong to, and to none that is over', async () => {
  const got: string[] = []
  const backend = createBackend()
  const fake = fakeWire((_, params) => {
    const { pieces } = params as { pieces: number }
    fake.say('skein/piece', { pieces, base64: 'QQ==' })
    fake.say('skein/piece', { pieces: pieces + 1, base64: 'Qg==' })
    return { status: 200, mediaType: null, logSize: null, base64: '' }
  })
  await backend.attach(fake.wire)
  await backend.call('getDiff', { params: { id: 'a'.repeat(14) } }, { onPiece: base64 => got.push(base64) })
  fake.say('skein/piece', { pieces: 1, base64: 'Qw==' })
  expect(got).toEqual(['QQ=='])
})
