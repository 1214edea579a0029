import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { startStub } from '#test/fakes/stub-server.ts'
import { hasSandbox, makeRepository, startNode, type TestNode, type TestRepository } from './node.ts'

/** A port that was free a moment ago: a node must be found at the same address after a restart. */
function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createTcpServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

interface Sent {
  readonly offset: number
  readonly bytes: number
  readonly status: number
}

/** A way to a node that sees which pieces of snapshots go by, and stops before one of them. */
async function startRoad(to: string) {
  const sent: Sent[] = []
  let before = async (_: { offset: number; bytes: number }): Promise<void> => {}
  const server = createServer((incoming, outgoing) => {
    void pass(incoming).then(
      ({ status, body, type }) => outgoing.writeHead(status, { 'content-type': type }).end(body),
      () => outgoing.destroy(),
    )
  })

  async function pass(incoming: IncomingMessage) {
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    const url = new URL(incoming.url ?? '', to)
    const isPiece = url.pathname.endsWith('/snapshot')
    const piece = { offset: Number(url.searchParams.get('offset')), bytes: body.byteLength }
    if (isPiece) await before(piece)
    const answer = await ask(url, incoming, body)
    if (isPiece) sent.push({ ...piece, status: answer.status })
    return answer
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    /** Called before a piece is passed on; when it fails, the connection breaks. */
    onPiece(call: typeof before) {
      before = call
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function ask(url: URL, { method, headers }: IncomingMessage, body: Buffer) {
  return new Promise<{ status: number; body: Buffer; type: string }>((resolve, reject) => {
    const asked = httpRequest(url, { method, headers: { ...headers, host: url.host } }, answer => {
      const parts: Buffer[] = []
      answer.on('data', part => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 502,
          body: Buffer.concat(parts),
          type: answer.headers['content-type'] ?? 'application/octet-stream',
        }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

async function pairBy(road: string, home: TestNode, worker: TestNode): Promise<void> {
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: road, code } })
}

/** Has a file of random bytes, more than one piece of it. */
function largeRepository(): TestRepository {
  const repository = makeRepository({ 'a.txt': 'one\n' })
  repository.write('noise', randomBytes(15_000_000).toString('base64'))
  repository.git('add', '--all')
  repository.git('commit', '--quiet', '--message=noise')
  return repository
}

describe.skipIf(!hasSandbox)('work on its way to another node', () => {
  it('goes on coming after the worker was restarted, and runs in the same attempt', async () => {
    await using home = await startNode({ 'node.name': 'home' })
    await using worker = await startNode({ 'node.name': 'worker', 'api.port': await freePort() })
    await using road = await startRoad(worker.url)
    await pairBy(road.url, home, worker)
    using repository = largeRepository()
    let restarted = false
    road.onPiece(async ({ offset, bytes }) => {
      if (restarted || offset === 0 || bytes === 0) return
      restarted = true
      await worker.restart()
      throw new Error('the connection broke')
    })
    const { job, log } = await home.run({
      agent: 'command',
      argv: ['sh', '-c', 'wc -c < noise; echo two >> a.txt'],
      repository: { path: repository.path },
      where: { on: ['worker'] },
    })
    expect(job.failure, log).toBeNull()
    expect(job.epoch).toBe(1)
    expect(restarted).toBe(true)
    expect(repository.git('show', `refs/skein/jobs/${job.id}:a.txt`)).toBe('one\ntwo\n')
    // What had arrived before was not sent again: each offset once, but for questions without a byte.
    const pieces = road.sent.filter(({ bytes, status }) => bytes > 0 && status === 200)
    expect(pieces.map(({ offset }) => offset)).toEqual([0, 8 * 1024 * 1024])
    expect(road.sent[0]).toMatchObject({ offset: 0, bytes: 0 })
  })

  it('is refused before a byte of it is sent when it is larger than the worker takes, and says so', async () => {
    await using home = await startNode({ 'node.name': 'home' })
    await using worker = await startNode({ 'node.name': 'worker', 'fleet.snapshotBytes': 1_000_000 })
    await using road = await startRoad(worker.url)
    await pairBy(road.url, home, worker)
    using repository = largeRepository()
    const { job } = await home.run({
      agent: 'command',
      argv: ['true'],
      repository: { path: repository.path },
      where: { on: ['worker'] },
    })
    expect(job.failure).toMatchObject({
      code: 'snapshot_failed',
      detail: expect.stringMatching(
        /could not be given to worker: The bundle with the snapshot has \d+ bytes; this node takes 1000000/,
      ),
      remedy: expect.stringContaining('fleet.snapshotBytes'),
    })
    expect(road.sent).toEqual([{ offset: 0, bytes: 0, status: 413 }])
  })

  it('comes back only as large as the home takes, and says so', async () => {
    await using home = await startNode({ 'node.name': 'home', 'fleet.resultBytes': 100_000 })
    await using worker = await startNode({ 'node.name': 'worker' })
    await pairBy(worker.url, home, worker)
    using repository = makeRepository({ 'a.txt': 'one\n' })
    const { job } = await home.run({
      agent: 'command',
      argv: ['sh', '-c', 'head -c 300000 /dev/urandom > large'],
      repository: { path: repository.path },
      where: { on: ['worker'] },
    })
    expect(job.failure).toMatchObject({ code: 'result_refused', detail: expect.stringContaining('fleet.resultBytes') })
  })

  it('never has to do with anybody’s remote, from the snapshot to the branch', async () => {
    await using remote = await startStub((_, response) => void response.writeHead(500).end())
    await using home = await startNode({ 'node.name': 'home' })
    await using worker = await startNode({ 'node.name': 'worker' })
    await pairBy(worker.url, home, worker)
    using repository = makeRepository({ 'a.txt': 'one\n' })
    repository.git('remote', 'add', 'origin', `${remote.url}/repository.git`)
    repository.git('config', 'remote.origin.pushurl', `${remote.url}/push.git`)
    repository.git('config', 'remote.pushDefault', 'origin')
    repository.git('config', 'branch.main.remote', 'origin')
    repository.git('config', 'branch.main.merge', 'refs/heads/main')
    repository.git('config', 'fetch.all', 'true')
    repository.git('config', 'push.recurseSubmodules', 'on-demand')
    // Git asks such a remote for whatever object it lacks.
    repository.git('config', 'remote.origin.promisor', 'true')
    repository.write('.git/hooks/pre-push', `#!/bin/sh\ncurl ${remote.url}/hook\n`)
    const { job } = await home.run({
      agent: 'command',
      argv: ['sh', '-c', 'echo two >> a.txt; git remote -v'],
      repository: { path: repository.path, include: 'changes' },
      checks: [['grep', '-q', 'two', 'a.txt']],
      where: { on: ['worker'] },
    })
    expect(job.state).toBe('succeeded')
    await home.client.getDiff({ params: { id: job.id } })
    expect(repository.git('show', `refs/skein/jobs/${job.id}:a.txt`)).toBe('one\ntwo\n')
    expect(remote.requests).toEqual([])
    // The remote would have noticed.
    await expect(promisify(execFile)('git', ['-C', repository.path, 'fetch', 'origin'])).rejects.toThrow()
    expect(remote.requests.length).toBeGreaterThan(0)
  })
})
