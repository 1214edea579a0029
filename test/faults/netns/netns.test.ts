import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { JobRequest } from '#shared/model/index.ts'
import { hasSandbox } from '../../e2e/node.ts'
import { makeRepository } from '../node.ts'
import { randomFrom } from '../shipped.ts'
import { FAULTS, type Stage } from './faults.ts'
import { argvOf, checkJob, ended, leftOn, treeOf } from './history.ts'
import { type Machine, PORT, startMachine, startRelay } from './machine.ts'
import { createNetwork, whyNoNetwork } from './network.ts'

/** Runs of a fault; SKEIN_FLEET_FAULTS asks for more. */
const RUNS = Number(process.env.SKEIN_FLEET_FAULTS ?? 20)
/** From when a job was asked for until the fault, at most: longer than it takes. */
const LATEST_MS = 2_500
/** A run with its aftermath. */
const RUN_MS = 90_000

const reason = whyNoNetwork() ?? (hasSandbox ? null : 'no sandbox')
if (reason) console.warn(`skipped: three machines in network namespaces: ${reason}`)

/** Asks until it is so; `what` is told when the time of the run is over. */
async function until(deadline: number, what: () => unknown, fits: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await fits())) {
    if (Date.now() > deadline) throw new Error(`It did not come to be: ${JSON.stringify(what())}`)
    await pause(100)
  }
}

async function pair(home: Machine, worker: Machine): Promise<void> {
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address: `http://${worker.plug.address}:${PORT}`, code } })
}

/** One of them runs, or has ended meanwhile. */
async function isRunning({ client }: Machine, ids: readonly string[]): Promise<boolean> {
  const jobs = await Promise.all(ids.map(id => client.getJob({ params: { id } })))
  return jobs.some(({ state, endedAt }) => state === 'running' || endedAt !== null)
}

/** The home finds every worker where that is now. */
async function findsAll({ client }: Machine, workers: readonly Machine[]): Promise<boolean> {
  const { items } = await client.listPeers().catch(() => ({ items: [] }))
  return workers.every(({ plug: { address } }) =>
    items.some(peer => peer.state === 'online' && peer.address === `http://${address}:${PORT}`),
  )
}

describe.skipIf(reason !== null)('three machines with a network between them', () => {
  it(`lose no job in ${RUNS} runs, and accept one result each`, { timeout: 60_000 + RUNS * RUN_MS }, async () => {
    const { root, repository } = makeRepository()
    const network = createNetwork(root)
    onTestFinished(() => network[Symbol.asyncDispose]())
    const first = Number(process.env.SKEIN_SEED ?? Date.now() % 1_000_000)
    console.log(`seed ${first}: SKEIN_SEED=${first} makes the same runs again`)
    const relay = startRelay(network)
    const names = ['home', 'desktop', 'cupboard']
    const machines = await Promise.all(names.map(name => startMachine(root, name, network, relay)))
    const [home, ...workers] = machines
    if (!home) throw new Error('There is no home')
    for (const worker of workers) await pair(home, worker)
    mkdirSync(join(root, 'tmp'))
    const before = treeOf(repository)

    for (let run = 0; run < RUNS; run++) {
      const random = randomFrom(first + run)
      const faults = Object.entries(FAULTS)
      const [name, fault] = faults[(first + run) % faults.length] ?? []
      if (!name || !fault) throw new Error('There is no such fault')
      const begin = Date.now()
      const deadline = begin + RUN_MS
      const since = () => `${((Date.now() - begin) / 1000).toFixed(1)} s`
      const about = `run ${run} (seed ${first + run}): ${name}`
      const jobs = new Map<string, string>()
      for (const mark of [`run ${run} one`, `run ${run} two`]) {
        const body: JobRequest = {
          agent: 'command',
          argv: argvOf(mark),
          repository: { path: repository, include: 'changes' },
          checks: [['grep', '-q', mark, 'a.txt']],
          where: { notOn: ['home'] },
          maxAttempts: 1000,
        }
        jobs.set((await home.client.createJob({ body })).jobId, mark)
      }
      const stage: Stage = { home, workers, network, relay, random }
      // Half of the faults come while the agent runs, however long it took to get there.
      if (random() < 0.5)
        await until(
          deadline,
          () => [about, 'no job runs'],
          () => isRunning(home, [...jobs.keys()]),
        )
      await pause(random() * LATEST_MS)
      await fault(stage)
      const stuck = async () => (await home.client.listJobs({ query: { limit: 2 } })).items
      for (const [id, mark] of jobs) {
        const job = await Promise.race([ended(home, id), pause(deadline - Date.now()).then(() => null)])
        if (!job) throw new Error(`${about}: a job does not end: ${JSON.stringify(await stuck())}`)
        await checkJob(home, repository, job, mark).catch(error => {
          throw new Error(`${about}: ${error.message}`, { cause: error })
        })
      }
      const done = since()
      expect(treeOf(repository), about).toBe(before)
      const left = () => machines.flatMap(machine => leftOn(machine).map(what => `${machine.name}: ${what}`))
      await until(
        deadline,
        () => [about, left()],
        () => left().length === 0,
      )
      const clean = since()
      await until(
        deadline,
        () => [about, 'a worker is not found again'],
        () => findsAll(home, workers),
      )
      console.log(`${about}: done after ${done}, nothing left after ${clean}, all found after ${since()}`)
    }
    await Promise.all(machines.map(machine => machine.stop()))
    expect(machines.flatMap(machine => leftOn(machine))).toEqual([])
  })
})
