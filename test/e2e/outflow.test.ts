import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fleetNode, pair } from './fleet.ts'
import { startGate } from './gate.ts'
import { hasSandbox, type TestNode } from './node.ts'

const LIMIT = 64 * 1024
const LINES = 40_000
/** What may be on its way into the log when it is full: the pieces a pipe is read in, of both its ends. */
const SLACK = 256 * 1024

/** Bytes of all logs a worker keeps for others. */
function keptBy({ dataDir }: TestNode): number {
  const root = join(dataDir, 'hosted', 'logs')
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

describe.skipIf(!hasSandbox)('an attempt that says more than its home can take', () => {
  it('waits while its home is away, keeps a bounded part, and loses, repeats and reorders nothing', {
    timeout: 120_000,
  }, async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker', { 'fleet.unackedBytes': LIMIT })
    await using gate = await startGate(worker.url)
    await pair(home, worker, gate.url)
    const { jobId } = await home.client.createJob({
      body: {
        agent: 'command',
        argv: ['sh', '-c', `sleep 1; seq -f 'line %.0f of what the agent has to say' 1 ${LINES}; echo done`],
        where: { on: ['worker'] },
        disconnect: { kind: 'wait', ms: 100_000 },
        timeouts: { silenceMs: 4_000 },
      },
    })
    await home.until(jobId, ({ body }) => body.type === 'attempt.process')
    gate.shut()
    await expect.poll(() => keptBy(worker), { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(LIMIT)
    // Longer than the agent would need for all of it, and than it may be silent by itself.
    for (let other = 0; other < 5; other++) await worker.run({ agent: 'command', argv: ['sleep', '1'] })
    const kept = keptBy(worker)
    expect(kept).toBeLessThan(LIMIT + SLACK)
    await home.restart()
    gate.open()
    const { job, log, events } = await home.finish(jobId)
    expect(job.failure).toBeNull()
    expect(job).toMatchObject({ state: 'succeeded', epoch: 1 })
    const said = log.match(/line \d+ of what the agent has to say\n/g) ?? []
    expect(said).toEqual(Array.from({ length: LINES }, (_, index) => `line ${index + 1} of what the agent has to say\n`))
    expect(log.endsWith('done\n── agent ended: exit 0\n')).toBe(true)
    expect(events.map(({ n }) => n)).toEqual(events.map((_, index) => index + 1))
    expect(Buffer.byteLength(log)).toBe(job.result?.logBytes)
  })
})
