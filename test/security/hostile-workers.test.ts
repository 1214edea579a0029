import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AttemptReport, type EventBody, type Job, type JobRequest, NO_USAGE, type Result } from '#shared/model/index.ts'
import { bidOf, cardOf, type FakePeer, reportOf, startFakePeer } from '#test/fakes/peer.ts'
import { hasSandbox, makeRepository, type TestRepository } from '../e2e/node.ts'
import { type Served, serve } from './served.ts'

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const AT = '2026-01-01T00:00:00.000Z'

/** A home that gives jobs to an honest worker and, for one test each, to one that means no good. */
let home: Served
let worker: Served
let repository: TestRepository
let evil: FakePeer
let honest: Promise<Job>
let peakBefore: number

beforeAll(async () => {
  ;[home, worker] = await Promise.all([serve('home'), serve('worker')])
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: worker.url, code } })
  repository = makeRepository({ 'a.txt': 'one\n' })
})
afterAll(async () => {
  await Promise.all([home?.[Symbol.asyncDispose](), worker?.[Symbol.asyncDispose]()])
  repository?.[Symbol.dispose]()
})
beforeEach(async () => {
  evil = await startFakePeer('evil')
  peakBefore = home.peakBytes()
  honest = home.run({ agent: 'command', argv: ['sh', '-c', 'sleep 0.5; echo fine'], where: { on: ['worker'] } })
})
afterEach(async () => {
  await evil[Symbol.asyncDispose]()
  await home.client.removePeer({ params: { id: evil.id } }).catch(() => {})
  expect((await honest).state).toBe('succeeded')
  // One answer may be as long as 32 MiB, and is held as bytes and as text.
  expect(home.peakBytes() - peakBefore).toBeLessThan(250 * MiB)
})

const request = (more: Partial<JobRequest> = {}): JobRequest => ({
  ...{ agent: 'command', argv: ['true'], where: { on: ['evil'] }, maxAttempts: 1 },
  ...more,
})
const onCopy = (more: Partial<JobRequest> = {}) => request({ repository: { path: repository.path, include: 'head' }, ...more })

/** Ends the attempt of a fake as it wants, with its first report. */
function endWith(report: (job: { id: string; epoch: number }) => Partial<AttemptReport>): void {
  evil.answer('renew', ({ params: { id = '', epoch } }) => reportOf(report({ id, epoch: Number(epoch) })))
}

const events = (bodies: readonly EventBody[]) => bodies.map((body, index) => ({ n: index + 1, at: AT, body }))

function resultOf(epoch: number, told: Partial<Result> = {}): Partial<AttemptReport> {
  const result: Result = {
    ...{
      epoch,
      snapshot: null,
      commit: null,
      ref: null,
      exitCode: 0,
      usage: NO_USAGE,
      executor: 'process',
      isolation: 'process',
    },
    ...{ diffStat: { files: 0, insertions: 0, deletions: 0, changes: [] }, checks: [], agent: { id: 'command', version: null } },
    ...{ durations: { queueMs: 0, prepareMs: 0, runMs: 0, checkMs: 0 }, model: null, logBytes: 0, warnings: [] },
    ...told,
  }
  return { state: 'checking', end: { kind: 'result', result, failure: null } }
}

/** Sends bytes until the other side has enough. @returns how many it took, so far */
function endless(response: ServerResponse, headers: Record<string, string> = {}): () => number {
  let sent = 0
  response.writeHead(200, headers)
  const piece = Buffer.alloc(64 * 1024, `${'x'.repeat(63)}\n`)
  const more = () => {
    while (!response.destroyed && sent < 11 * GiB) {
      sent += piece.byteLength
      if (!response.write(piece)) return void response.once('drain', more)
    }
  }
  more()
  return () => sent
}

async function placementOf(job: Job): Promise<string> {
  const { items } = await home.client.listPlacements({ params: { id: job.id } })
  return JSON.stringify(items.at(-1)?.asked ?? [])
}

/** What a job says while nobody takes it, once it was announced. */
async function waiting(): Promise<string> {
  const { jobId: id } = await home.client.createJob({ body: request() })
  for (;;) {
    const job = await home.client.getJob({ params: { id } })
    const placed = await placementOf(job)
    if (placed.includes('evil')) {
      await home.client.cancelJob({ params: { id } })
      return placed
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

describe.skipIf(!hasSandbox)('a node that means no good, as a worker', () => {
  it.each<[string, (response: ServerResponse) => unknown, RegExp]>([
    ['random bytes', response => response.socket?.end(randomBytes(10_000)), /did not answer/],
    ['half a document', response => void response.writeHead(200).end('{"kind": "bid", '), /no JSON/],
    ['another document', () => ({ hello: 'world' }), /not what it should be/],
    ['NaN', response => void response.writeHead(200).end('{"kind":"bid","bidId":"x","ttlMs":NaN}'), /no JSON/],
    ['a bid of less than no time', () => bidOf({ startMs: -1 }), /not what it should be/],
    ['a bid without an end', response => void endless(response), /did not answer|more than/],
    [
      'infinite load',
      response => void response.end(JSON.stringify(bidOf({ load: 0 })).replace('"load":0', '"load":1e999')),
      /not what/,
    ],
    [
      'nothing, a byte at a time',
      response => void setInterval(() => response.write(' '), 100).unref(),
      /longer than|did not answer|abort/,
    ],
  ])('that answers an announcement with %s is passed over, and the record says why', async (_, answer, why) => {
    await evil.join(home.client)
    evil.answer('announce', (_asked, response) => answer(response))
    expect(await waiting()).toMatch(why)
  })

  it('that bids the longest of times is scored like any other', async () => {
    await evil.join(home.client)
    evil.answer('announce', () => bidOf({ startMs: 1e300, runMs: { p50: 1e308, p90: 1e308 } }))
    endWith(({ epoch }) => resultOf(epoch))
    expect((await home.run(request())).state).toBe('succeeded')
  })

  it.each<[string, (response: ServerResponse) => unknown]>([
    ['random bytes', response => response.socket?.end(randomBytes(10_000))],
    ['the card of another node', () => ({ ...cardOf(evil.info), node: worker.id })],
    ['a card without an end', response => void endless(response, { 'content-type': 'application/json' })],
  ])('that shows %s as its card is offline', async (_, answer) => {
    evil.answer('card', (_asked, response) => answer(response))
    await evil.join(home.client)
    const { items } = await home.client.listPeers()
    expect(items.find(({ id }) => id === evil.id)).toMatchObject({ state: 'offline', card: null, problem: expect.any(String) })
  })

  it('that sends this node elsewhere does not: no redirect is followed', async () => {
    const reached: string[] = []
    const elsewhere = createServer((incoming, response) => {
      reached.push(incoming.url ?? '')
      response.end('{}')
    })
    await new Promise<void>(resolve => elsewhere.listen(0, '127.0.0.1', resolve))
    const { port } = elsewhere.address() as AddressInfo
    await evil.join(home.client)
    for (const location of [`http://127.0.0.1:${port}/`, 'http://169.254.169.254/latest/meta-data/']) {
      evil.answer('announce', (_, response) => void response.writeHead(307, { location }).end())
      expect(await waiting()).toContain('redirect')
    }
    expect(reached).toEqual([])
    await new Promise(resolve => elsewhere.close(resolve))
  })

  it('that speaks only another protocol cannot be paired', async () => {
    evil.answer('nodeInfo', () => ({ ...evil.info, protocol: { min: 900, max: 901 } }))
    await expect(evil.join(home.client)).rejects.toThrow('protocol 900 to 901')
  })

  it('that claims the key of another cannot be paired', async () => {
    evil.answer('nodeInfo', () => ({ ...evil.info, node: worker.id }))
    evil.answer('nodeKeys', () => ({ node: worker.id, rotations: [] }))
    await expect(evil.join(home.client)).rejects.toThrow(/key/)
  })

  it.each<[string, EventBody[]]>([
    ['succeeded at once', [{ type: 'job.state', from: 'placing', to: 'succeeded', epoch: 1, failure: null }]],
    ['is checked before it ran', [{ type: 'job.state', from: 'placing', to: 'checking', epoch: 1, failure: null }]],
    ['is of the next epoch', [{ type: 'job.state', from: 'placing', to: 'preparing', epoch: 2, failure: null }]],
    ['was accepted and sealed', [{ type: 'log.sealed', bytes: 1, sha256: 'x' }]],
  ])('that reports that a job %s is not believed, and the log says so', async (_, bodies) => {
    await evil.join(home.client)
    const failure = { code: 'agent_failed' as const, detail: 'it says' }
    endWith(() => ({ events: events(bodies), end: { kind: 'failed', failure } }))
    const job = await home.run(request())
    expect(job).toMatchObject({ state: 'failed', epoch: 1, failure })
    const { items } = await home.client.listEvents({ params: { id: job.id } })
    for (const body of bodies) expect(items.map(event => event.body)).not.toContainEqual(body)
    expect(home.log()).toContain('A worker told what is not its to tell')
  })

  it('that sends 100,000 events at once is not heard, and its attempt is lost', async () => {
    await evil.join(home.client)
    const body: EventBody = { type: 'agent.message', epoch: 1, text: 'x' }
    endWith(() => ({ events: Array.from({ length: 100_000 }, (_, index) => ({ n: index + 1, at: AT, body })) }))
    const job = await home.run(request())
    expect(job.failure).toMatchObject({ code: 'attempts_exhausted', detail: expect.stringContaining('lease') })
  })

  it('that floods with permission requests ends with its job, and each is in the record once', async () => {
    await evil.join(home.client)
    const asked = Array.from({ length: 1000 }, (_, index): EventBody => {
      const option = { id: 'yes', name: 'yes', kind: 'allow_once' as const }
      return { type: 'permission.requested', epoch: 1, requestId: `1-${index}`, title: 't', detail: 'd', options: [option] }
    })
    endWith(({ epoch }) => ({ ...resultOf(epoch), events: events(asked) }))
    const { state, id } = await home.run(request())
    expect(state).toBe('succeeded')
    const { items } = await home.client.listEvents({ params: { id }, query: { limit: 1000 } })
    expect(items.filter(({ body }) => body.type === 'permission.requested').length).toBeLessThanOrEqual(1000)
  })

  it('that never stops logging is read up to the limit of the job', async () => {
    await evil.join(home.client)
    let sent = () => 0
    evil.answer('attemptLog', (_, response) => {
      sent = endless(response)
    })
    const { jobId: id } = await home.client.createJob({ body: request({ limits: { logBytes: MiB } }) })
    while (sent() < 2 * MiB) await new Promise(resolve => setTimeout(resolve, 50))
    endWith(({ epoch }) => ({ ...resultOf(epoch), logBytes: 100 * GiB }))
    const job = await until(id)
    expect(job.state).toBe('succeeded')
    const log = await (await home.client.readLog({ params: { id } })).arrayBuffer()
    expect(log.byteLength).toBeLessThan(2 * MiB)
    expect(sent()).toBeLessThan(64 * MiB)
  })

  it.each<[string, Record<string, string>]>([
    ['announces', { 'content-length': String(10 * GiB) }],
    ['does not announce', {}],
  ])('that sends a result of 10 GiB, which it %s, is cut off at the limit of the job', async (_, headers) => {
    await evil.join(home.client)
    let sent = () => 0
    evil.answer('attemptResult', (_asked, response) => {
      sent = endless(response, headers)
    })
    endWith(({ epoch }) => resultOf(epoch, { commit: 'a'.repeat(40) }))
    const job = await home.run(onCopy({ limits: { diskBytes: 16 * MiB } }))
    expect(job.failure).toMatchObject({ code: 'result_refused', detail: expect.stringContaining('limits.diskBytes') })
    expect(sent()).toBeLessThan(64 * MiB)
  })

  it('that calls a result good without the checks of the job is refused', async () => {
    await evil.join(home.client)
    endWith(({ epoch }) => resultOf(epoch))
    const job = await home.run(onCopy({ checks: [['false']] }))
    expect(job.failure).toMatchObject({ code: 'result_refused', detail: 'It tells of 0 checks, and the job has 1.' })
  })
})

async function until(id: string): Promise<Job> {
  for (;;) {
    const job = await home.client.getJob({ params: { id } })
    if (job.endedAt !== null) return job
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** A clone in which a result is made by hand, as its node would not make it. */
function forge(make: (git: (input: string | null, ...argv: string[]) => string) => void): void {
  const bundles = new Map<string, Buffer[]>()
  evil.answer('shipSnapshot', ({ params: { id = '' }, query, body }) => {
    bundles.set(id, [...(bundles.get(id) ?? []), body])
    return { bytes: Number(query.get('offset')) + body.byteLength }
  })
  const results = new Map<string, { commit: string; file: Buffer }>()
  const resultFor = (id: string) => {
    const made = results.get(id) ?? forged(id, Buffer.concat(bundles.get(id) ?? []), make)
    results.set(id, made)
    return made
  }
  evil.answer('renew', ({ params: { id = '', epoch } }) => {
    // Nothing is there yet: the snapshot is on its way.
    if (!bundles.has(id)) return reportOf()
    return reportOf(resultOf(Number(epoch), { commit: resultFor(id).commit }))
  })
  evil.answer('attemptResult', ({ params: { id = '' } }, response) => void response.writeHead(200).end(resultFor(id).file))
}

function forged(id: string, bundle: Buffer, make: Parameters<typeof forge>[0]): { commit: string; file: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), 'skein-forged-'))
  try {
    const git = (input: string | null, ...argv: string[]) =>
      execFileSync('git', ['-C', directory, '-c', 'user.name=E', '-c', 'user.email=e@example.invalid', ...argv], {
        encoding: 'utf8',
        ...(input === null ? {} : { input }),
        stdio: ['pipe', 'pipe', 'ignore'],
      }).trim()
    git(null, 'init', '--quiet', '--initial-branch=main')
    writeFileSync(join(directory, 'in.bundle'), bundle)
    git(null, 'fetch', '--quiet', 'in.bundle', 'refs/skein/shipped:refs/heads/snapshot')
    git(null, 'checkout', '--quiet', '-B', 'main', 'snapshot')
    make(git)
    git(null, 'update-ref', `refs/skein/jobs/${id}`, 'HEAD')
    git(null, 'bundle', 'create', '--quiet', 'out.bundle', `refs/skein/jobs/${id}`)
    return { commit: git(null, 'rev-parse', 'HEAD'), file: readFileSync(join(directory, 'out.bundle')) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe.skipIf(!hasSandbox)('a result that a node forged', () => {
  const treeWith = (git: Parameters<Parameters<typeof forge>[0]>[0], mode: string, path: string, content: string) => {
    const blob = git(content, 'hash-object', '-w', '--stdin')
    const inner = git(`${mode} blob ${blob}\tx\n`, 'mktree')
    const tree = git(`040000 tree ${inner}\t${path}\n`, 'mktree')
    git(null, 'update-ref', 'refs/heads/main', git(null, 'commit-tree', tree, '-p', 'HEAD', '-m', 'forged'))
  }

  it('is taken when it is what it says: the forger can write honest ones too', async () => {
    await evil.join(home.client)
    forge(git => git(null, 'commit', '--quiet', '--allow-empty', '-m', 'honest'))
    const job = await home.run(onCopy())
    expect(job.failure).toBeNull()
    expect(job.state).toBe('succeeded')
  })

  it.each<[string, Parameters<typeof forge>[0], RegExp]>([
    ['a path out of the tree', git => treeWith(git, '100644', '..', 'owned'), /invalid path/],
    ['a path into .git', git => treeWith(git, '100644', '.git', '[core]\n\tfsmonitor = touch /tmp/owned\n'), /invalid path/],
    ['a link out of the tree', git => treeWith(git, '120000', 'dir', '../../../etc/passwd'), /lead out of the work tree/],
    [
      'two commits',
      git => ['1', '2'].map(message => git(null, 'commit', '--quiet', '--allow-empty', '-m', message)),
      /does not stand on the snapshot/,
    ],
    ['no parent', git => git(null, 'commit', '--quiet', '--amend', '-m', 'alone'), /does not stand on the snapshot/],
  ])('is refused with %s, and nothing of it reaches the repository', async (_, make, why) => {
    await evil.join(home.client)
    forge(make)
    const job = await home.run(onCopy())
    expect(job.failure).toMatchObject({ code: 'result_refused', detail: expect.stringMatching(why) })
    expect(repository.git('for-each-ref', `refs/skein/jobs/${job.id}`)).toBe('')
  })

  it('is refused when it is the commit of another job', async () => {
    const other = await home.run(onCopy({ argv: ['sh', '-c', 'echo theirs >> a.txt'], where: { on: ['worker'] } }))
    const commit = other.result?.commit ?? ''
    await evil.join(home.client)
    forge(git => git(null, 'commit', '--quiet', '--allow-empty', '-m', 'mine'))
    endWith(({ epoch }) => resultOf(epoch, { commit }))
    const job = await home.run(onCopy())
    expect(job.failure).toMatchObject({ code: 'result_refused' })
  })
})
