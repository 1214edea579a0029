import { rm } from 'node:fs/promises'
import { afterAll, describe } from 'vitest'
import { executorContract } from './executor.ts'
import { openProcessExecutor, whyNoSandbox } from './executor-workshop.ts'

const { executor, directory } = await openProcessExecutor()
const missing = await whyNoSandbox(executor)
afterAll(() => rm(directory, { recursive: true }))

describe.skipIf(missing)('process', () => {
  executorContract('in a sandbox', { isolation: 'sandbox', executor: () => executor })
})
describe.skipIf(process.platform === 'win32')('process', () => {
  executorContract('without isolation', { isolation: 'none', executor: () => executor })
})
