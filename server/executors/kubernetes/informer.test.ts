import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '#server/lib/clock.ts'
import { type ClusterError, createClusterApi } from './cluster-api.ts'
import { type Informer, startInformer } from './informer.ts'
import { Pod } from './objects.ts'

const pod = (name: string, version: number) => ({ metadata: { name, uid: `uid-${name}`, resourceVersion: String(version) } })

describe('an informer', () => {
  let server: Server
  let informer: Informer | null = null
  /** What was asked, such as `list` and `watch 7`. */
  let asked: string[] = []
  let items: ReturnType<typeof pod>[] = []
  let watching: ServerResponse | null = null
  let refuse: number | null = null
  let told: string[] = []
  const port = () => (server.address() as AddressInfo).port

  const open = (at = 0) =>
    new Promise<void>(resolve => {
      server = createServer((request, response) => {
        const query = new URL(request.url ?? '', 'http://x').searchParams
        const isWatch = query.get('watch') === 'true'
        asked.push(isWatch ? `watch ${query.get('resourceVersion')}` : 'list')
        if (refuse !== null) {
          const code = refuse
          refuse = null
          response.writeHead(code).end(JSON.stringify({ kind: 'Status', reason: 'No', message: 'No', code }))
        } else if (isWatch) {
          watching = response.writeHead(200)
          response.flushHeaders()
        } else response.end(JSON.stringify({ metadata: { resourceVersion: '7' }, items }))
      }).listen(at, '127.0.0.1', resolve)
    })
  const close = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const start = () => {
    const api = createClusterApi({
      server: `http://127.0.0.1:${port()}`,
      said: 'a test',
      options: async () => ({}),
      distrust() {},
      close() {},
    })
    informer = startInformer({
      api,
      path: '/api/v1/namespaces/skein/pods',
      query: {},
      item: Pod,
      isKept: true,
      changed: ({ metadata }) => told.push(`+${metadata.name}@${metadata.resourceVersion}`),
      removed: ({ metadata }) => told.push(`-${metadata.name}`),
      trouble: (error: ClusterError | null) => told.push(error ? `trouble ${error.status}` : 'well'),
      clock: systemClock,
      random: () => 0,
    })
    return informer.synced
  }
  const say = (type: string, object: unknown) => watching?.write(`${JSON.stringify({ type, object })}\n`)
  const isWatching = (from: string) => expect.poll(() => asked.at(-1), { timeout: 10_000 }).toBe(`watch ${from}`)

  beforeEach(async () => {
    asked = []
    items = []
    told = []
    refuse = null
    await open()
  })
  afterEach(async () => {
    informer?.stop()
    await close()
  })

  test('tells of what there is, then of each change', async () => {
    items = [pod('a', 3)]
    await start()
    await isWatching('7')
    say('ADDED', pod('b', 8))
    say('MODIFIED', pod('a', 9))
    say('DELETED', pod('b', 10))
    await expect.poll(() => told).toEqual(['+a@3', '+b@8', '+a@9', '-b'])
  })

  test('takes a watch up where it ended, from the bookmark, without a list', async () => {
    await start()
    await isWatching('7')
    say('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: '20', creationTimestamp: null } })
    watching?.end()
    await isWatching('20')
    expect(asked).toEqual(['list', 'watch 7', 'watch 20'])
    expect(told).toEqual([])
  })

  test.each(['in the stream', 'at once'])(
    'lists anew when the watch is too old (410 %s), and tells of what is gone',
    async how => {
      items = [pod('a', 3), pod('b', 4)]
      await start()
      await isWatching('7')
      items = [pod('b', 5), pod('c', 6)]
      if (how === 'at once') {
        refuse = 410
        watching?.end()
      } else say('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' })
      await expect.poll(() => told, { timeout: 10_000 }).toEqual(['+a@3', '+b@4', '+b@5', '+c@6', '-a'])
      expect(asked.filter(what => what === 'list')).toHaveLength(2)
      expect(told).not.toContain('trouble 410')
    },
  )

  test('waits for an API server that is gone, says so once, and loses nothing', async () => {
    items = [pod('a', 3)]
    await start()
    await isWatching('7')
    const at = port()
    await close()
    await expect.poll(() => told).toEqual(['+a@3', 'trouble 0'])
    await open(at)
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBeGreaterThan(2)
    say('DELETED', pod('a', 9))
    await expect.poll(() => told).toEqual(['+a@3', 'trouble 0', 'well', '-a'])
  })

  test('a line that is cut, and one that is no object, do no harm', async () => {
    await start()
    await isWatching('7')
    const line = JSON.stringify({ type: 'ADDED', object: pod('Ünïcode', 8) })
    const bytes = Buffer.from(`nonsense\n${line}\n`)
    for (const byte of bytes) watching?.write(Buffer.from([byte]))
    await expect.poll(() => told).toEqual(['+Ünïcode@8'])
  })

  test('asks no more once it was stopped', async () => {
    await start()
    await isWatching('7')
    informer?.stop()
    await expect.poll(() => watching?.destroyed).toBe(true)
    expect(asked).toEqual(['list', 'watch 7'])
  })
})
