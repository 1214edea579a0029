import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it, test } from 'vitest'
import * as z from 'zod'
import { type Operation, operations } from '#shared/contract/index.ts'
import { hasSandbox, makeRepository, startNode } from './node.ts'
import { type Exchanged, listenIn, startOldNode, whyNoProtocol1 } from './protocol-1.ts'

const reason = whyNoProtocol1() ?? (hasSandbox ? null : 'no sandbox')
if (reason) console.warn(`skipped: no real node of protocol 1: ${reason}`)

const fixture = (name: string) => new URL(`../fixtures/protocol/${name}.json`, import.meta.url)
const read = <T>(name: string): T => JSON.parse(readFileSync(fixture(name), 'utf8')) as T

/** What two real nodes of protocol 1 and 2 said, kept: `asked` by the older one, `answered` by it. */
interface Recording {
  readonly asked: readonly Exchanged[]
  readonly answered: readonly Exchanged[]
}

/** The operation of a request between nodes. */
function operationOf({ method, path }: Exchanged): [string, Operation] {
  const [pathname = ''] = path.split('?')
  const found = Object.entries(operations).find(
    ([, one]) => one.method === method && new RegExp(`^${one.path.replaceAll(/:\w+/g, '[^/]+')}$`).test(pathname),
  )
  return found ?? expect.fail(`${method} ${path} is no operation`)
}

/** What the older node said is understood here. */
function understood({ asked, answered }: Recording): void {
  for (const one of asked) operationOf(one)[1].body?.parse(one.request)
  for (const one of answered) {
    const { answer } = operationOf(one)[1]
    if ('schema' in answer && one.status < 400) answer.schema.parse(one.answer)
  }
}

/** What was said to the older node fits what it takes: its own schemas, which are strict. */
function fitsProtocol1({ asked, answered }: Recording): void {
  type Schema = Parameters<typeof z.fromJSONSchema>[0]
  const schemas = read<Record<string, { body?: Schema; answer?: Schema }>>('1.schemas')
  const of = (one: Exchanged) => schemas[operationOf(one)[0]]
  for (const one of answered) {
    const body = of(one)?.body
    if (body) z.fromJSONSchema(body).parse(one.request)
  }
  for (const one of asked) {
    const answer = of(one)?.answer
    if (answer && one.status < 400) z.fromJSONSchema(answer).parse(one.answer)
  }
}

const names = (exchanged: readonly Exchanged[]) => [...new Set(exchanged.map(one => operationOf(one)[0]))].toSorted()
const SAID = ['announce', 'award', 'card', 'nodeInfo', 'pair', 'renew', 'settleAttempt', 'shipSnapshot']

test('what a node of protocol 1 said, when a real one was recorded, is understood', () => {
  const recording = read<Recording>('1.messages')
  expect(names(recording.asked)).toEqual(expect.arrayContaining(SAID))
  expect(names(recording.answered)).toEqual(expect.arrayContaining(SAID))
  understood(recording)
  fitsProtocol1(recording)
})

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

describe.skipIf(reason !== null)('a real node of protocol 1', () => {
  it('pairs with one of today in both directions, and each runs a job of the other, from its snapshot to its result', async () => {
    await using old = await startOldNode('old')
    await using today = await startNode({ 'node.name': 'today', 'api.port': await freePort() })
    using toOld = await listenIn(old.url)
    using toToday = await listenIn(today.url)
    using repository = makeRepository({ 'a.txt': 'one\n' })
    repository.write('b.txt', 'untracked\n')

    const { code } = JSON.parse(await old.skein('pair', '--json')) as { code: string }
    await today.client.addPeer({ body: { address: toOld.url, code } })
    const { job, log } = await today.run({
      agent: 'command',
      argv: ['sh', '-c', 'cat b.txt; echo two >> a.txt'],
      repository: { path: repository.path, include: 'changes' },
      checks: [['grep', '-q', 'two', 'a.txt']],
      where: { on: ['old'] },
    })
    expect(job).toMatchObject({ state: 'succeeded', failure: null, epoch: 1 })
    expect(log).toContain('untracked\n')
    expect(repository.git('show', `refs/skein/jobs/${job.id}:a.txt`)).toBe('one\ntwo\n')

    const made = await today.client.createPairingCode()
    await old.skein('peers', 'add', toToday.url, made.code)
    const argv = ['sh', '-c', 'cat b.txt; echo three >> a.txt']
    const where = ['--repo', repository.path, '--changes', '--on', 'today', '--check', 'grep -q three a.txt']
    await old.skein('run', '--json', ...where, '--', ...argv)
    const { items } = JSON.parse(await old.skein('jobs', '--json')) as { items: { id: string; state: string }[] }
    expect(items).toMatchObject([{ state: 'succeeded' }])
    expect(await old.skein('logs', items[0]?.id ?? '')).toContain('untracked\n')
    expect(repository.git('show', `refs/skein/jobs/${items[0]?.id}:a.txt`)).toBe('one\nthree\n')

    for (const wire of [toOld, toToday]) await wire.until(({ path }) => path.endsWith('/settle'))
    const recording: Recording = { asked: toToday.heard, answered: toOld.heard }
    expect(names(recording.asked)).toEqual(expect.arrayContaining(SAID))
    understood(recording)
    fitsProtocol1(recording)
    const refusals = [...recording.asked, ...recording.answered].filter(({ status }) => status === 422)
    expect(refusals).toEqual([])
    if (process.env.SKEIN_RECORD) writeFileSync(fixture('1.messages'), `${JSON.stringify(recording, null, 1)}\n`)
  })

  it('is not left behind by a change of key unless that is meant', async () => {
    await using old = await startOldNode('old')
    await using today = await startNode({ 'node.name': 'today', 'api.port': await freePort() })
    const { code } = JSON.parse(await old.skein('pair', '--json')) as { code: string }
    await today.client.addPeer({ body: { address: old.url, code } })
    await expect(today.client.rotateKey({ body: {} })).rejects.toMatchObject({
      code: 'rotation_refused',
      message: expect.stringContaining('old would not know this node'),
    })
    expect(await today.client.rotateKey({ body: { force: true } })).toMatchObject({ told: [], waiting: ['old'] })
  })
})
