import { afterAll, beforeAll, describe } from 'vitest'
import type { Executor } from '#server/executors/index.ts'
import { kubernetesExecutor } from '#server/executors/kubernetes/index.ts'
import { renderSetup } from '#server/executors/kubernetes/setup.ts'
import { applySetup } from '#server/executors/kubernetes/survey.ts'
import { insideProgram } from '#server/lib/built.ts'
import { systemClock } from '#server/lib/clock.ts'
import { KubernetesConfig } from '#shared/model/index.ts'
import { type Lab, openLab, whyNoCluster, whyNoImage } from '../e2e/kubernetes/lab.ts'
import { executorContract } from './executor.ts'

const settings = KubernetesConfig.parse({
  image: 'localhost/node:24',
  imagePull: 'Never',
  requests: { cpuCores: 0.05, memoryBytes: 2 ** 24, diskBytes: 2 ** 20 },
  startMs: 60_000,
  home: { port: 0 },
})

describe.skipIf((whyNoCluster() ?? whyNoImage()) !== null)('kubernetes', () => {
  let lab: Lab
  let executor: Executor
  beforeAll(async () => {
    lab = await openLab()
    lab.loadImage('node')
    await applySetup(await lab.api(), renderSetup(settings))
    const kubeconfig = await lab.kubeconfig('skein:skein')
    executor = kubernetesExecutor({
      nodeId: `test-${process.pid}`,
      settings: { ...settings, kubeconfig },
      runnerFile: insideProgram('runner'),
      graceMs: 1_000,
      clock: systemClock,
      random: Math.random,
      log: { info() {}, warn: console.warn },
    })
  }, 300_000)
  afterAll(async () => {
    await executor?.close()
    await lab?.[Symbol.asyncDispose]()
  })
  executorContract('in a pod', { isolation: 'sandbox', executor: () => executor, node: 'node', hasHostProcesses: false })
})
