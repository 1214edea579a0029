import { describe } from 'vitest'
import { executorContract } from './executor.ts'
import { openContainerExecutor, whyNoSandbox } from './executor-workshop.ts'

const executor = openContainerExecutor()
const missing = await whyNoSandbox(executor)

describe.skipIf(missing)('container', () => {
  executorContract('in a sandbox', { isolation: 'sandbox', executor: () => executor })
})
