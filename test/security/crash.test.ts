import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ProcessIdentity } from '#server/executors/index.ts'
import { markedProcesses, SANDBOX_MARK } from '#server/executors/process-table.ts'
import { isAlive } from '#server/lib/process-identity.ts'
import { openProcessExecutor, openWorkshop, type Workshop, whyNoSandbox } from '../contract/executor-workshop.ts'

const PROGRAM = new URL('./crashing-server.ts', import.meta.url).pathname
const { executor, close } = await openProcessExecutor({ nodeId: `crash-${process.pid}` })
const missing = await whyNoSandbox(executor)

describe.skipIf(missing)('kill -9 of the server', () => {
  let workshop: Workshop
  beforeAll(async () => {
    workshop = await openWorkshop(executor)
  })
  afterAll(async () => {
    await workshop[Symbol.asyncDispose]()
    await close()
  })

  const crash = async (isolation: 'sandbox' | 'none') => {
    const id = `crash-${isolation}-${process.pid}`
    const base = join(workshop.directory, isolation)
    await mkdir(base)
    const server = spawn(process.execPath, [PROGRAM, `crash-${process.pid}`, id, base, isolation], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const recorded = JSON.parse(await firstLine(server)) as ProcessIdentity
    // The program, its daemon, and their sleeps; in a sandbox bubblewrap and its init too.
    const alive = () => markedProcesses({ [SANDBOX_MARK]: id })
    await expect.poll(() => alive().length).toBeGreaterThanOrEqual(2)
    const before = alive()
    server.kill('SIGKILL')
    await new Promise(resolve => server.once('exit', resolve))
    return { recorded, before, alive }
  }

  test('ends what runs in a sandbox', async () => {
    const { recorded, before, alive } = await crash('sandbox')
    await expect.poll(() => before.filter(isAlive).length).toBe(0)
    expect(alive()).toEqual([])
    expect(isAlive(recorded)).toBe(false)
    expect(await executor.reap([recorded])).toBe(0)
  })

  test('without a sandbox leaves programs behind, which reap finds and ends', async () => {
    const { recorded, before, alive } = await crash('none')
    expect(before.filter(isAlive).length).toBeGreaterThan(0)
    expect(await executor.reap([recorded])).toBeGreaterThan(0)
    expect(alive()).toEqual([])
    expect(before.filter(isAlive)).toEqual([])
    expect(await executor.reap([recorded])).toBe(0)
  })
})

function firstLine(server: ChildProcess): Promise<string> {
  if (!server.stdout) throw new Error('The server has no output')
  const lines = createInterface({ input: server.stdout })
  return new Promise((resolve, reject) => {
    lines.once('line', resolve)
    lines.once('close', () => reject(new Error('The server ended without a line')))
  })
}
