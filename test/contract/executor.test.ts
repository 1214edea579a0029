import { afterAll, describe } from 'vitest'
import { executorContract } from './executor.ts'
import { openProcessExecutor, whyNoSandbox } from './executor-workshop.ts'

const { executor, close } = await openProcessExecutor()
const missing = await whyNoSandbox(executor)
afterAll(close)

describe.skipIf(missing)('process', () => {
  executorContract('in a sandbox', { isolation: 'sandbox', executor: () => executor })
})
describe.skipIf(process.platform === 'win32')('process', () => {
  executorContract('without isolation', { isolation: 'none', executor: () => executor })
})
