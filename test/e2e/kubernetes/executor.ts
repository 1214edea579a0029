import type { Executor } from '#server/executors/index.ts'
import { kubernetesExecutor } from '#server/executors/kubernetes/index.ts'
import { renderSetup } from '#server/executors/kubernetes/setup.ts'
import { applySetup } from '#server/executors/kubernetes/survey.ts'
import { insideProgram } from '#server/lib/built.ts'
import { systemClock } from '#server/lib/clock.ts'
import { KubernetesConfig } from '#shared/model/index.ts'
import { type Lab, START_MS } from './lab.ts'

export const LAB_IMAGE = 'localhost/node:24'

/** Settings for sandboxes in the lab, small enough for many of them beside each other. */
export const labSettings = (changes: object = {}): KubernetesConfig =>
  KubernetesConfig.parse({
    image: LAB_IMAGE,
    imagePull: 'Never',
    requests: { cpuCores: 0.01, memoryBytes: 2 ** 24, diskBytes: 2 ** 20 },
    startMs: START_MS,
    home: { port: 0 },
    ...changes,
  })

/** Gives the cluster the image and what an administrator gives it. */
export async function prepareLab(lab: Lab, settings: KubernetesConfig): Promise<void> {
  lab.loadImage('node')
  await applySetup(await lab.api(), renderSetup(settings))
}

/** An executor with the rights of that file and no others. */
export const executorOf = (kubeconfig: string, settings: KubernetesConfig): Executor =>
  kubernetesExecutor({
    nodeId: `test-${process.pid}`,
    settings: { ...settings, kubeconfig },
    runnerFile: insideProgram('runner'),
    graceMs: 1_000,
    clock: systemClock,
    random: Math.random,
    log: { info() {}, warn: console.warn },
  })

/** Both, with the rights that the setup gives. */
export async function openLabExecutor(lab: Lab, settings: KubernetesConfig = labSettings()): Promise<Executor> {
  await prepareLab(lab, settings)
  return executorOf(await lab.kubeconfig('skein:skein'), settings)
}
