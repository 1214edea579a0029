import { expect, it } from 'vitest'
import type { ServerState } from '#shared/contract/index.ts'
import type { PageCommand, PanelMessage } from '#shared/webview/index.ts'
import { createBackend, type Wire } from '../backend/backend.ts'
import { createPageSession } from './page-session.ts'

const READY: ServerState = { state: 'ready', url: 'http://n', node: 'n', version: '1', isLocal: true, logFile: null }
const JOB = 'a'.repeat(14)

async function panel(
  answer: (params: { operation: string; pieces?: number }, signal?: AbortSignal) => unknown = () => ({ ok: true }),
) {
  const handlers = new Map<string, (params: unknown) => void>()
  const asked: string[] = []
  const wire: Wire = {
    async request(method, params, signal) {
      asked.push(method)
      if (method === 'skein/getServerState') return READY
      return method === 'skein/call' ? answer(params as { operation: string }, signal) : null
    },
    onNotification(method, handler) {
      handlers.set(method, handler)
      return { dispose: () => handlers.delete(method) }
    },
  }
  const backend = createBackend()
  await backend.attach(wire)
  const posted: PanelMessage[] = []
  const commands: PageCommand[] = []
  const session = createPageSession(
    { page: 'job', jobId: JOB },
    { backend, post: message => posted.push(message), setTitle: () => {}, run: command => commands.push(command) },
  )
  return { session, posted, asked, commands, backend, say: (method: string, params: unknown) => handlers.get(method)?.(params) }
}
const types = (posted: readonly PanelMessage[]) => posted.map(({ type }) => type)

it('tells a page what to show and how the server stands, once it is there', async () => {
  const { session, posted, say } = await panel()
  say('skein/serverState', READY)
  expect(posted).toEqual([])
  session.receive({ type: 'ready' })
  expect(types(posted)).toEqual(['show', 'server'])
  say('skein/serverState', { state: 'lost', reason: 'r', remedy: null, retryInMs: 1, logFile: null })
  expect(posted.at(-1)).toMatchObject({ type: 'server', state: { state: 'lost' } })
})

it('answers a call with its value, its pieces before, or its problem', async () => {
  const problem = { type: 't', title: 'T', status: 404, code: 'not_found', detail: 'no' }
  const { session, posted, say } = await panel(({ operation, pieces }) => {
    if (operation === 'getJob') throw { code: -32050, data: problem }
    if (pieces !== undefined) say('skein/piece', { pieces, base64: 'QQ==' })
    return { ok: true }
  })
  session.receive({ type: 'call', id: 1, operation: 'readLog', pieces: true })
  session.receive({ type: 'call', id: 2, operation: 'getJob', pieces: false })
  await expect.poll(() => posted.length).toBe(3)
  expect(posted).toContainEqual({ type: 'piece', id: 1, base64: 'QQ==' })
  expect(posted).toContainEqual({ type: 'answer', id: 1, value: { ok: true } })
  expect(posted).toContainEqual({ type: 'failed', id: 2, problem })
})

it('ends calls and streams of a page that was loaded again, and answers them no more', async () => {
  let isAborted = false
  const { session, posted, asked } = await panel(
    (_, signal) =>
      new Promise((_, reject) =>
        signal?.addEventListener('abort', () => {
          isAborted = true
          reject({ code: -32800 })
        }),
      ),
  )
  session.receive({ type: 'call', id: 1, operation: 'getJob', pieces: false })
  session.receive({ type: 'subscribe', subscription: 1, topic: { name: 'log', jobId: JOB } })
  await expect.poll(() => asked).toContain('skein/subscribe')
  session.receive({ type: 'ready' })
  await expect.poll(() => asked).toContain('skein/unsubscribe')
  expect(isAborted).toBe(true)
  expect(types(posted)).toEqual(['show', 'server'])
})

it('hands streams on under the number of the page', async () => {
  const { session, posted, say, asked } = await panel()
  session.receive({ type: 'subscribe', subscription: 77, topic: { name: 'job', jobId: JOB }, cursor: 3 })
  await expect.poll(() => asked).toContain('skein/subscribe')
  say('skein/stream', { subscription: 1, cursor: 4, item: { type: 'end' } })
  expect(posted).toEqual([{ type: 'stream', subscription: 77, cursor: 4, item: { type: 'end' } }])
})

it.each([
  { name: 'models' as const, models: ['a/b'] },
  { name: 'specs' as const, repository: '/src/app' },
])('follows nothing for a page that is for the editor: $name', async topic => {
  const { session, posted, asked } = await panel()
  session.receive({ type: 'subscribe', subscription: 4, topic })
  expect(posted).toMatchObject([{ type: 'stream', subscription: 4, item: { type: 'error', problem: { code: 'forbidden' } } }])
  session.receive({ type: 'subscribe', subscription: 5, topic: { name: 'jobs' } })
  await expect.poll(() => asked.filter(method => method === 'skein/subscribe')).toHaveLength(1)
})
