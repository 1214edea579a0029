import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { isEnd, type JobRequest } from '#shared/model/index.ts'
import { hasSandbox } from '../e2e/node.ts'
import { makeRepository, processesNaming } from './node.ts'
import { kill, type Life, randomFrom, start } from './shipped.ts'

/** Faults in one run; SKEIN_FLEET_FAULTS asks for more. */
const FAULTS = Number(process.env.SKEIN_FLEET_FAULTS ?? 20)
const JOBS = 10
const LONGEST_LIFE_MS = 1_500
/** Shorter than the lease, as a lid that is closed for a moment. */
const LONGEST_SLEEP_MS = 2_000

function freePort(): Promise<string> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(String(typeof address === 'object' && address ? address.port : 0)))
    })
  })
}

/** A node that can be killed, stopped and started again at the same address. */
async function machine(root: string, name: string) {
  const dataDir = join(root, name)
  mkdirSync(dataDir)
  const config = join(root, `${name}.yaml`)
  writeFileSync(config, 'fleet:\n  leaseMs: 5000\njobs:\n  graceMs: 300\n')
  const port = await freePort()
  const boot = () => start(dataDir, '--port', port, '--name', name, '--config', config)
  const node = {
    name,
    dataDir,
    life: await boot(),
    async die() {
      await kill(node.life)
      node.life = await boot()
    },
    async sleep(ms: number) {
      node.life.child.kill('SIGSTOP')
      await pause(ms)
      node.life.child.kill('SIGCONT')
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

describe.skipIf(!hasSandbox)('a home and a worker that die and sleep', () => {
  it(`lose no job in ${FAULTS} faults, and accept one result each`, { timeout: 600_000 }, async () => {
    const { root, repository } = makeRepository()
    const seed = Number(process.env.SKEIN_SEED ?? Date.now() % 1_000_000)
    console.log(`seed ${seed}: SKEIN_SEED=${seed} makes the same faults again`)
    const random = randomFrom(seed)
    const [home, worker] = await Promise.all([machine(root, 'home'), machine(root, 'worker')])
    const { code } = await worker.life.client.createPairingCode()
    await home.life.client.addPeer({ body: { address: worker.life.url, code } })

    const client = (): Life['client'] => home.life.client
    const ids: string[] = []
    for (let index = 0; index < JOBS; index++) {
      const body: JobRequest = {
        agent: 'command',
        argv: ['sh', '-c', `echo begin; sleep 0.5; echo ${index} >> a.txt; echo end`],
        repository: { path: repository, include: 'changes' },
        checks: [['grep', '-q', `^${index}$`, 'a.txt']],
        where: { notOn: ['home'] },
        maxAttempts: 1000,
      }
      ids.push((await client().createJob({ body })).jobId)
    }
    for (let fault = 0; fault < FAULTS; fault++) {
      await pause(random() * LONGEST_LIFE_MS)
      const choice = random()
      if (choice < 0.4) await worker.die()
      else if (choice < 0.8) await home.die()
      else await home.sleep(random() * LONGEST_SLEEP_MS)
    }
    for (const [index, id] of ids.entries()) {
      const ended = () => client().getJob({ params: { id } })
      let job = await eventually(ended)
      while (!isEnd(job.state)) {
        await pause(100)
        job = await eventually(ended)
      }
      expect(job.failure, id).toBeNull()
      expect(job.state, id).toBe('succeeded')
      const { items } = await client().listEvents({ params: { id }, query: { limit: 1000 } })
      expect(items.map(({ n }) => n)).toEqual(items.map((_, position) => position + 1))
      expect(items.filter(({ body }) => body.type === 'result.accepted')).toHaveLength(1)
      const log = await (await client().readLog({ params: { id } })).text()
      expect(log.lastIndexOf('begin'), log).toBeLessThan(log.lastIndexOf('end\n'))
      expect(Buffer.byteLength(log)).toBe(job.result?.logBytes)
      const diff = await (await client().getDiff({ params: { id } })).text()
      expect(diff).toContain(`+${index}\n`)
    }
    // What the worker kept for its home is forgotten once the home has it.
    for (const { life } of [home, worker]) {
      const gone = new Promise(resolve => life.child.once('exit', resolve))
      life.child.kill('SIGTERM')
      await gone
    }
    expect(readdirSync(join(worker.dataDir, 'attempts'))).toEqual([])
    expect(readdirSync(join(home.dataDir, 'attempts'))).toEqual([])
    expect(processesNaming(worker.dataDir)).toEqual([])
    rmSync(root, { recursive: true, force: true })
  })
})
