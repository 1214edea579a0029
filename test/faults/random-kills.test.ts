import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JobRequest } from '#shared/model/index.ts'
import { hasSandbox } from '../e2e/node.ts'
import { makeRepository, processesNaming } from './node.ts'
import { kill, type Life, randomFrom, start } from './shipped.ts'

/** Kills in one run; SKEIN_KILLS asks for more. */
const KILLS = Number(process.env.SKEIN_KILLS ?? 100)
const JOBS = 40
/** Longest life of a server between two kills, ms; an attempt takes about a third of it. */
const LONGEST_LIFE_MS = 900

describe.skipIf(!hasSandbox)('random kills of the server', () => {
  it(`survives ${KILLS} of them with every accepted job`, { timeout: 1_200_000 }, async () => {
    const { root, repository, dataDir } = makeRepository()
    const seed = Number(process.env.SKEIN_SEED ?? Date.now() % 1_000_000)
    console.log(`seed ${seed}: SKEIN_SEED=${seed} runs the same kills again`)
    const random = randomFrom(seed)
    const accepted = new Map<string, string>()
    const request = (index: number): JobRequest => ({
      agent: 'command',
      argv: ['sh', '-c', `echo ${index} >> a.txt`],
      repository: { path: repository, include: 'changes' },
      checks: [['grep', '-q', `^${index}$`, 'a.txt']],
      // A kill in every life of the server may be the fate of one job.
      maxAttempts: 1000,
    })
    /** Submits what has no answer yet; a server that dies meanwhile just leaves it for the next one. */
    const submit = async ({ client }: Life) => {
      for (let index = 0; index < JOBS; index++) {
        const key = `job-${index}`
        if (accepted.has(key)) continue
        const answer = await client.createJob({ body: request(index), headers: { 'idempotency-key': key } }).catch(() => null)
        if (!answer) return
        accepted.set(key, answer.jobId)
      }
    }

    for (let killed = 0; killed < KILLS; killed++) {
      const life = await start(dataDir)
      const submitted = submit(life)
      // Not a wait for something to happen: the moment of the kill is the random input of this test.
      await new Promise(resolve => setTimeout(resolve, random() * LONGEST_LIFE_MS))
      await kill(life)
      await submitted
    }

    const last = await start(dataDir)
    await submit(last)
    expect(accepted.size).toBe(JOBS)
    for (const id of accepted.values()) {
      const events = await drain(last, id)
      const job = await last.client.getJob({ params: { id } })
      expect(job, JSON.stringify(job.failure)).toMatchObject({ state: 'succeeded' })
      expect(events.filter(type => type === 'result.accepted')).toHaveLength(1)
    }
    const { items } = await last.client.listJobs({ query: { limit: 200 } })
    expect(items.map(({ id }) => id).sort()).toEqual([...accepted.values()].sort())
    const gone = once(last.child, 'exit')
    last.child.kill('SIGTERM')
    await gone
    expect(readdirSync(join(dataDir, 'attempts'))).toEqual([])
    expect(processesNaming(dataDir)).toEqual([])
    rmSync(root, { recursive: true, force: true })
  })
})

/** Waits for the last event of a job. @returns the types of all its events */
async function drain({ url, token }: Life, id: string): Promise<string[]> {
  const response = await fetch(`${url}/v1/jobs/${id}/events`, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
  })
  return [...(await response.text()).matchAll(/^event: ?(.+)$/gm)].map(match => match[1] ?? '')
}
