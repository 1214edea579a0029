import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Disconnect, isEnd, type Job } from '#shared/model/index.ts'
import { hasSandbox } from '../e2e/node.ts'
import { makeRepository, processesNaming } from './node.ts'
import { kill, randomFrom, start } from './shipped.ts'

/** Faults in one run; SKEIN_DISCONNECT_FAULTS asks for more. */
const FAULTS = Number(process.env.SKEIN_DISCONNECT_FAULTS ?? 5)
const LEASE_MS = 5_000
/** Past a lease, as a lid that is closed for a while. */
const SLEEP_MS = 6_500
const POLICIES: readonly Disconnect[] = [{ kind: 'replace' }, { kind: 'wait', ms: 30_000 }, { kind: 'keep-both' }]

function freePort(): Promise<string> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(String(typeof address === 'object' && address ? address.port : 0)))
    })
  })
}

async function machine(root: string, name: string) {
  const dataDir = join(root, name)
  mkdirSync(dataDir)
  const config = join(root, `${name}.yaml`)
  writeFileSync(config, `fleet:\n  leaseMs: ${LEASE_MS}\njobs:\n  graceMs: 300\n`)
  const port = await freePort()
  const boot = () => start(dataDir, '--port', port, '--name', name, '--config', config)
  const node = {
    dataDir,
    life: await boot(),
    async die() {
      await kill(node.life)
      node.life = await boot()
    },
    async sleep() {
      node.life.child.kill('SIGSTOP')
      await pause(SLEEP_MS)
      node.life.child.kill('SIGCONT')
    },
    async stop() {
      const gone = new Promise(resolve => node.life.child.once('exit', resolve))
      node.life.child.kill('SIGTERM')
      await gone
    },
  }
  return node
}

/** Asks until the node is there to answer. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await ask().catch(() => null)
    if (answer !== null) return answer
    await pause(100)
  }
}

describe.skipIf(!hasSandbox)('nodes that die, or sleep past the leases they hold', () => {
  it(`get one result for each job in ${FAULTS} faults, whatever the job says of a node that is not heard of`, {
    timeout: 600_000,
  }, async () => {
    const { root, repository } = makeRepository()
    const seed = Number(process.env.SKEIN_SEED ?? Date.now() % 1_000_000)
    console.log(`seed ${seed}: SKEIN_SEED=${seed} makes the same faults again`)
    const random = randomFrom(seed)
    const [home, one, other] = await Promise.all(['home', 'one', 'other'].map(name => machine(root, name)))
    if (!home || !one || !other) throw new Error('no machines')
    for (const worker of [one, other]) {
      const { code } = await worker.life.client.createPairingCode()
      await home.life.client.addPeer({ body: { address: worker.life.url, code } })
    }
    const ids: string[] = []
    for (const [index, disconnect] of [...POLICIES, ...POLICIES].entries()) {
      const { jobId } = await home.life.client.createJob({
        body: {
          agent: 'command',
          argv: ['sh', '-c', `echo begin; sleep 3; echo ${index} >> a.txt; echo end`],
          repository: { path: repository, include: 'head' },
          checks: [['grep', '-q', `^${index}$`, 'a.txt']],
          where: { notOn: ['home'] },
          maxAttempts: 100,
          disconnect,
        },
      })
      ids.push(jobId)
    }
    for (let fault = 0; fault < FAULTS; fault++) {
      await pause(random() * 1_000)
      const worker = random() < 0.5 ? one : other
      const choice = random()
      if (choice < 0.5) await worker.sleep()
      else if (choice < 0.7) await worker.die()
      else if (choice < 0.85) await home.sleep()
      else await home.die()
    }
    for (const [index, id] of ids.entries()) {
      const ask = () => home.life.client.getJob({ params: { id } })
      let job: Job = await eventually(ask)
      while (!isEnd(job.state)) {
        await pause(100)
        job = await eventually(ask)
      }
      const { items } = await eventually(() => home.life.client.listEvents({ params: { id }, query: { limit: 1000 } }))
      const history = items.map(({ n, body }) => `${n} ${JSON.stringify(body).slice(0, 160)}`).join('\n')
      expect(job.failure, history).toBeNull()
      expect(job.state, history).toBe('succeeded')
      expect(items.map(({ n }) => n)).toEqual(items.map((_, position) => position + 1))
      expect(items.filter(({ body }) => body.type === 'result.accepted', history)).toHaveLength(1)
      // Sealed a moment after the job ended.
      const log = await eventually(async () => {
        const text = await (await home.life.client.readLog({ params: { id } })).text()
        return Buffer.byteLength(text) === job.result?.logBytes ? text : null
      })
      if (log === null) throw new Error('no log')
      const won = log.slice(log.lastIndexOf('begin\n'))
      expect(won, `${history}\n${log}`).toContain('end\n')
      const diff = await (await home.life.client.getDiff({ params: { id } })).text()
      expect(diff, history).toContain(`+${index}\n`)
    }
    // What no job wants any more is told to its node, and forgotten there.
    const left = ({ dataDir }: typeof one) => readdirSync(join(dataDir, 'hosted')).filter(name => name !== 'logs')
    for (const worker of [one, other]) await expect.poll(() => left(worker), { timeout: 60_000 }).toEqual([])
    await Promise.all([home, one, other].map(node => node.stop()))
    for (const { dataDir } of [home, one, other]) {
      expect(readdirSync(join(dataDir, 'attempts'))).toEqual([])
      expect(processesNaming(dataDir)).toEqual([])
    }
    rmSync(root, { recursive: true, force: true })
  })
})
