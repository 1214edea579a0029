import { afterAll, describe, expect, test } from 'vitest'
import { readStat } from '#server/lib/process-identity.ts'
import { executorContract } from './executor.ts'
import { openProcessExecutor, openWorkshop, whyNoSandbox } from './executor-workshop.ts'

const { executor, close } = await openProcessExecutor()
const missing = await whyNoSandbox(executor)
afterAll(close)

describe.skipIf(missing)('process', () => {
  executorContract('in a sandbox', { isolation: 'sandbox', executor: () => executor })

  test('starts sandbox after sandbox by one process that is not this one, which is dear to fork', async () => {
    await using workshop = await openWorkshop(executor)
    const parents = new Set<number>()
    for (let count = 0; count < 12; count++) {
      const sandbox = await workshop.sandbox()
      const program = await sandbox.start({ argv: ['sleep', '1000'], stdin: 'none', network: false })
      parents.add(readStat(program.identity.pid)?.parent ?? 0)
      await sandbox.cleanup()
    }
    // The first of all may come before that process is there.
    parents.delete(process.pid)
    expect(parents.size).toBe(1)
  })
})
describe.skipIf(process.platform === 'win32')('process', () => {
  executorContract('without isolation', { isolation: 'none', executor: () => executor })
})
