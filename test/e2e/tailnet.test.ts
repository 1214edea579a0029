import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Peer } from '#shared/model/index.ts'
import { hasSandbox } from './node.ts'
import { type Policy, type Server, startTailnet, type Tailnet, whyNoNamespaces, whyNoTailnet } from './tailnet.ts'

const reason = whyNoTailnet() ?? (hasSandbox ? null : 'no sandbox')
const reasonForNone = reason ?? whyNoNamespaces()
if (reasonForNone) console.warn(`skipped: no real tailnet${reason ? '' : ' but one in userspace'}: ${reasonForNone}`)

const skein = ['tag:skein']
const alice = ['alice@example.com']
const both = { runsOurs: true, weRunTheirs: true }
const granting = (...values: unknown[]): Policy => ({
  users: { 'laptop*': 'alice@example.com' },
  grants: [
    { src: skein, dst: skein, ip: ['*'], app: { 'skein.dev/cap/peer': values } },
    { src: alice, dst: skein, ip: ['*'] },
  ],
})
const named = (peers: readonly Peer[], name: string) => peers.find(peer => peer.name === name)

/** The steps follow each other on one tailnet: each begins where the one before ended. */
describe.skipIf(reasonForNone !== null)('nodes of a real tailnet', () => {
  let tailnet: Tailnet
  let a: Server
  let b: Server
  beforeAll(async () => {
    tailnet = await startTailnet('tun', granting(both))
    a = await tailnet.serve('a')
  })
  afterAll(() => tailnet?.[Symbol.asyncDispose]())

  const runs = async (on: string) => {
    const text = await a.skein('run', '--json', '--on', on, '--', 'sh', '-c', 'echo ran').catch(error => String(error.stdout))
    return text
  }

  it('find each other within 10 s of the start of the second, told nothing, also when the first has looked in vain before', async () => {
    expect(await a.peers()).toEqual([])
    b = await tailnet.serve('b')
    await a.until(peers => named(peers, 'node-b')?.card != null)
    await b.until(peers => named(peers, 'node-a')?.card != null)
    expect(await a.peers()).toMatchObject([{ name: 'node-b', source: 'tailnet', state: 'online', ...both }])
    expect((await a.peers())[0]?.address).toMatch(/^http:\/\/100\.64\.0\.\d+:8080$/)
  }, 15_000)

  it('run a job for each other', async () => {
    expect(await runs('node-b')).toContain('ran')
    const { items } = JSON.parse(await a.skein('jobs', '--json')) as { items: { id: string; state: string }[] }
    expect(items[0]?.state).toBe('succeeded')
    expect(await a.skein('jobs', 'show', items[0]?.id ?? '', '--why')).toContain('node-b')
  })

  it('go on with a job when its home was restarted meanwhile', async () => {
    const { jobId } = JSON.parse(
      await a.skein('run', '--json', '--detach', '--on', 'node-b', '--', 'sh', '-c', 'sleep 15; echo ran'),
    ) as { jobId: string }
    while (!(await a.skein('jobs', 'show', jobId, '--json')).includes('"running"'));
    await a.stop()
    await a.start()
    expect(await a.skein('logs', '--follow', jobId)).toContain('ran')
    expect(JSON.parse(await a.skein('jobs', 'show', jobId, '--json'))).toMatchObject({ epoch: 1 })
  })

  it('answer nobody but nodes at their address of the tailnet', async () => {
    const { address } = named(await a.peers(), 'node-b') ?? { address: '' }
    await expect(a.skein('jobs', '--url', address, '--token', 'x'.repeat(43))).rejects.toThrow(/answers other nodes only/)
  })

  it('do what the policy says of them now', async () => {
    tailnet.policy(granting({ runsOurs: true }))
    await b.until(peers => named(peers, 'node-a')?.weRunTheirs === false)
    const { items } = JSON.parse(await b.skein('peers', '--json')) as { items: Peer[] }
    expect(named(items, 'node-a')).toMatchObject({ runsOurs: true, weRunTheirs: false })
    tailnet.policy(granting())
    await a.until(peers => named(peers, 'node-b')?.runsOurs === false)
    tailnet.policy(granting(both))
    await a.until(peers => named(peers, 'node-b')?.card != null)
  })

  it('see a person’s machine, and trust it with nothing', async () => {
    const c = await tailnet.serve('c')
    await c.until(peers => named(peers, 'node-a')?.state === 'online')
    expect(named(await c.peers(), 'node-a')).toMatchObject({ card: null, runsOurs: false, weRunTheirs: false })
    await c.stop()
  })

  it('let a person use the API from her own machine, without a token, as the policy says', async () => {
    const { address } = named(await a.peers(), 'node-b') ?? { address: '' }
    const c = await tailnet.serve('c')
    const jobs = () => c.skein('jobs', '--json', '--url', address)
    await expect(jobs()).rejects.toThrow(/answers other nodes only/)
    const asking = (role: string): Policy => {
      const policy = granting(both)
      const grant = { src: alice, dst: skein, ip: ['*'], app: { 'skein.dev/cap/api': [{ role }] } }
      return { ...policy, grants: [...policy.grants, grant] }
    }
    tailnet.policy(asking('viewer'))
    await expect.poll(() => jobs().catch(String), { timeout: 20_000 }).toContain('"items"')
    const run = (...more: string[]) =>
      c.skein('run', '--json', '--detach', '--no-repo', '--url', address, ...more, '--', 'echo', 'hers')
    await expect(run()).rejects.toThrow(/Your role at this node is viewer/)
    tailnet.policy(asking('runner'))
    await expect.poll(() => run().catch(String), { timeout: 20_000 }).toContain('jobId')
    await expect(run('--no-sandbox')).rejects.toThrow(/rights of this node/)
    await expect(c.skein('drain', '--url', address)).rejects.toThrow(/Your role at this node is runner/)
    await c.stop()
    tailnet.policy(granting(both))
  })

  it('keep their trust when one takes a new key', async () => {
    await b.skein('peers', 'rotate-key', '--grace', '0s')
    await a.until(peers => named(peers, 'node-b')?.card != null)
    expect(await runs('node-b')).toContain('ran')
    expect(named(await b.peers(), 'node-a')).toMatchObject(both)
  })

  it('take no jobs of a node whose trust its owner ended, until the owner takes it back', async () => {
    await b.skein('peers', 'remove', 'node-a')
    expect(named(await b.peers(), 'node-a')).toMatchObject({ runsOurs: false, weRunTheirs: false, problem: expect.any(String) })
    await a.until(peers => named(peers, 'node-b')?.card == null)
    await b.skein('peers', 'trust', 'node-a')
    expect(named(await b.peers(), 'node-a')).toMatchObject(both)
    await a.until(peers => named(peers, 'node-b')?.card != null)
  })

  it('show a machine that changed its key, and trust it only once told to', async () => {
    const before = named(await a.peers(), 'node-b')
    await b.stop()
    b.forget('node.key')
    b.forget('node.key.rotations')
    await b.start()
    await a.until(peers => named(peers, 'node-b') !== undefined && named(peers, 'node-b')?.id !== before?.id)
    expect(await a.peers()).toMatchObject([{ name: 'node-b', runsOurs: false, problem: expect.stringContaining('another key') }])
    await a.skein('peers', 'trust', 'node-b')
    await a.until(peers => named(peers, 'node-b')?.card != null)
  })

  it('forget a node that was removed from the tailnet', async () => {
    tailnet.policy({ ...granting(both), removed: ['node-b'] })
    await a.until(peers => peers.length === 0)
    tailnet.policy(granting(both))
    await a.until(peers => named(peers, 'node-b')?.card != null)
  })
})

describe.skipIf(reason !== null)('nodes of a real tailnet without interfaces', () => {
  it('find each other and run jobs: what comes in by loopback is known by the machine that sent it', async () => {
    await using tailnet = await startTailnet('userspace', granting(both))
    const a = await tailnet.serve('a')
    const b = await tailnet.serve('b')
    await a.until(peers => named(peers, 'node-b')?.card != null)
    await b.until(peers => named(peers, 'node-a')?.card != null)
    expect(await a.skein('run', '--json', '--on', 'node-b', '--', 'echo', 'ran')).toContain('ran')
    expect(await a.skein('doctor')).toContain('without a network interface')
  })
})
