import { once } from 'node:events'
import { copyFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import * as z from 'zod'
import { createClusterApi } from '#server/executors/kubernetes/cluster-api.ts'
import { openConnection } from '#server/executors/kubernetes/connection.ts'
import { systemClock } from '#server/lib/clock.ts'
import { executorOf, LAB_IMAGE, labSettings, prepareLab } from '../e2e/kubernetes/executor.ts'
import { openLab, whyNoCluster, whyNoImage } from '../e2e/kubernetes/lab.ts'
import { defineBench, type SideContext } from './bench.ts'
import { medianStart, startIn } from './sandbox-start.ts'

const ROUNDS = 3
/** This machine, as pods of the lab see it. */
const HOST = '10.124.0.1'
const JOBS = '/apis/batch/v1/namespaces/default/jobs'
const MADE = z.object({ metadata: z.object({ name: z.string() }) })

/** A cluster for all sides, and the ways into it: the product's with the rights of the product, the bare Job's with every right. */
async function prepare(fixture: string) {
  const lab = await openLab()
  await prepareLab(lab, labSettings())
  await copyFile(await lab.kubeconfig('skein:skein'), join(fixture, 'product'))
  await copyFile(await lab.kubeconfig(), join(fixture, 'bare'))
  return () => lab[Symbol.asyncDispose]()
}

async function product(context: SideContext, delayMs = 0): Promise<number> {
  const executor = executorOf(join(context.fixture, 'product'), labSettings())
  context.defer(() => executor.close())
  return medianStart(ROUNDS, startIn(executor, context, delayMs))
}

/** A Job of the same image and no more, whose program says its first word to this machine as soon as it runs. */
async function bare({ fixture, defer }: SideContext): Promise<number> {
  const file = join(fixture, 'bare')
  const connection = await openConnection(
    { kind: 'files', files: [file], said: file },
    { context: undefined, clock: systemClock },
  )
  defer(connection.close)
  const api = createClusterApi(connection)
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  defer(() => void server.close())
  const { port } = server.address() as { port: number }
  return medianStart(ROUNDS, async () => {
    const begun = once(server, 'connection')
    const command = ['bash', '-c', `echo begun > /dev/tcp/${HOST}/${port}`]
    const container = { name: 'main', image: LAB_IMAGE, imagePullPolicy: 'Never', command }
    const body = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { generateName: 'bare-' },
      spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers: [container] } } },
    }
    const { metadata } = await api.call('POST', JOBS, MADE, { body })
    const [socket] = await begun
    socket.destroy()
    return async () => {
      await api.call('DELETE', `${JOBS}/${metadata.name}`, z.unknown(), { query: { propagationPolicy: 'Foreground' } })
      const isThere = () => api.call('GET', `${JOBS}/${metadata.name}`, z.unknown()).catch(() => null)
      while ((await isThere()) !== null) await pause(50)
    }
  })
}

export default defineBench({
  name: 'pod-start',
  unit: 'ms',
  a: { what: 'award of an attempt to the first word of its agent in a pod of the lab cluster', run: context => product(context) },
  b: { what: "a bare Job of the same image, made by the API, to its program's first word", run: bare },
  planted: { what: '1 s before each', run: context => product(context, 1_000) },
  bar: { atMost: 1.3 },
  missing: () => whyNoCluster() ?? whyNoImage(),
  prepare,
  note: "The product's pod has a Secret, a ConfigMap, six volumes and limits; its runner starts Node.js, dials home by TLS, takes the work tree and starts the agent.",
})
