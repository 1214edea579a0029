import { afterAll, beforeAll, describe } from 'vitest'
import type { Executor } from '#server/executors/index.ts'
import { openLabExecutor } from '../e2e/kubernetes/executor.ts'
import { type Lab, openLab, TURN_MS, whyNoCluster, whyNoImage } from '../e2e/kubernetes/lab.ts'
import { executorContract } from './executor.ts'

describe.skipIf((whyNoCluster() ?? whyNoImage()) !== null)('kubernetes', () => {
  let lab: Lab
  let executor: Executor
  beforeAll(async () => {
    lab = await openLab()
    executor = await openLabExecutor(lab)
  }, TURN_MS)
  afterAll(async () => {
    await executor?.close()
    await lab?.[Symbol.asyncDispose]()
  })
  executorContract('in a pod', { isolation: 'sandbox', executor: () => executor, node: 'node', hasHostProcesses: false })
})
