import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JobRequest } from '#shared/model/index.ts'
import { announcementOf, awardOf, pairedPeer } from './bare-peer.ts'
import { fleetNode, pair } from './fleet.ts'
import { hasSandbox, makeRepository, type TestNode } from './node.ts'

/** Names under which the caches of a node keep commits of a job. */
function refsOf(node: TestNode, jobId: string): string[] {
  const caches = readdirSync(join(node.dataDir, 'repos'))
  const list = (cache: string) =>
    execFileSync('git', ['--git-dir', join(node.dataDir, 'repos', cache), 'for-each-ref', '--format=%(refname)'], {
      encoding: 'utf8',
    })
  return caches.flatMap(cache =>
    list(cache)
      .split('\n')
      .filter(ref => ref.includes(jobId)),
  )
}

describe.skipIf(!hasSandbox)('a node whose jobs are taken', () => {
  it('cannot have the commits of a job forgotten that is not its own', async () => {
    await using node = await fleetNode('worker')
    const { client } = await pairedPeer(node, 'other')
    using repository = makeRepository({ file: 'old' })
    const { job } = await node.run({
      agent: 'command',
      argv: ['sh', '-c', 'echo new > file'],
      repository: { path: repository.path },
    })
    const before = refsOf(node, job.id)
    expect(before.length).toBeGreaterThan(0)
    await client.settleAttempt({ params: { id: job.id, epoch: 1 } })
    expect(refsOf(node, job.id)).toEqual(before)
  })

  it('gets no place for a job under the id of one of the node itself, or of another home', async () => {
    await using node = await fleetNode('worker', { 'node.concurrency': 4 })
    const [one, other] = [await pairedPeer(node, 'one'), await pairedPeer(node, 'other')]
    const { jobId } = await node.client.createJob({ body: { agent: 'command', argv: ['sleep', '60'] } })
    expect(await other.client.announce({ body: announcementOf(jobId) })).toMatchObject({ kind: 'no', isTransient: false })

    const theirs = '00000000000abc'
    const [first, second] = await Promise.all([one, other].map(({ client }) => client.announce({ body: announcementOf(theirs) })))
    if (first?.kind !== 'bid' || second?.kind !== 'bid') throw new Error('Both were asked before either had it')
    await one.client.award({ body: awardOf(theirs, first.bidId, ['sleep', '60']) })
    await expect(other.client.award({ body: awardOf(theirs, second.bidId, ['true']) })).rejects.toMatchObject({
      code: 'not_yours',
    })
    expect(await other.client.announce({ body: announcementOf(theirs) })).toMatchObject({ kind: 'no', isTransient: false })
    await node.client.cancelJob({ params: { id: jobId } })
  })

  it('does not reach the network of the node through a job, whatever the job allows', async () => {
    const server = createServer((_, response) => response.end('secret of the network')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await pair(home, worker)
    const job: JobRequest = {
      ...{ agent: 'command', argv: ['sh', '-c', `curl -s --noproxy '' -x "$HTTP_PROXY" http://127.0.0.1:${port}/`] },
      network: { allow: [`127.0.0.1:${port}`] },
    }
    const [there, here] = [
      await home.run({ ...job, where: { on: ['worker'] } }),
      await home.run({ ...job, where: { local: true } }),
    ]
    server.close()
    expect(there.log).not.toContain('secret of the network')
    expect(there.events.map(({ body }) => body)).toContainEqual(
      expect.objectContaining({ type: 'warning', code: 'network_refused', detail: expect.stringContaining('private address') }),
    )
    expect(here.log).toContain('secret of the network')
  })
})
