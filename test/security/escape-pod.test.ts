import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Executor, Sandbox } from '#server/executors/index.ts'
import { openWorkshop, runIn, type Workshop } from '../contract/executor-workshop.ts'
import { LAB_IMAGE, labSettings, openLabExecutor } from '../e2e/kubernetes/executor.ts'
import { type Lab, openLab, PATIENT, TURN_MS, whyNoCluster, whyNoImage } from '../e2e/kubernetes/lab.ts'
import { furnish, hasEscaped, openTarget } from './escapes.ts'
import { probeSuite } from './probe-suite.ts'
import { CLUSTER_PROBES, type Target } from './probes.ts'

/** This machine, its API server and its kubelet, as pods of the lab see them. */
const HOST = '10.124.0.1'
const NODE = '10.123.0.1'
const LISTENS = `require('net').createServer(socket => socket.end()).listen(8080)`
const missing = whyNoCluster() ?? whyNoImage()

// That the other probes can succeed is shown in escape.test.ts, by a program of this machine.
describe.skipIf(missing !== null)('in a pod', { timeout: 2 * PATIENT.timeout }, () => {
  let lab: Lab
  let executor: Executor
  let workshop: Workshop
  let sandbox: Sandbox
  let target: Target
  let closeTarget = async () => {}

  beforeAll(async () => {
    lab = await openLab({ policies: true })
    executor = await openLabExecutor(lab, labSettings({ home: { address: HOST, port: await freePort() } }))
    for (const [name, program] of [
      ['neighbour', LISTENS],
      ['plain', 'setInterval(() => {}, 1e6)'],
    ] as const)
      lab.apply(pod(name, program))
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/neighbour', 'pod/plain', '--timeout=300s')
    const neighbour = await lab.kubectl('get', 'pod', 'neighbour', '-o', 'jsonpath={.status.podIP}')
    const opened = await openTarget()
    closeTarget = opened.close
    target = {
      ...opened.target,
      node: 'node',
      address: HOST,
      cluster: {
        api: { host: NODE, port: 6443 },
        kubelet: { host: NODE, port: 10250 },
        neighbour: { host: neighbour, port: 8080 },
      },
    }
    // A pod takes seconds, so all are tried in one.
    workshop = await openWorkshop(executor)
    const spec = await workshop.spec()
    await furnish(spec.workTree)
    sandbox = await workshop.sandbox(spec)
  }, TURN_MS)
  afterAll(async () => {
    await workshop?.[Symbol.asyncDispose]()
    await closeTarget()
    await executor?.close()
    await lab?.[Symbol.asyncDispose]()
  })

  // A probe that cannot succeed proves nothing when it fails.
  describe('that is nothing but a pod a hostile program can', () => {
    const byHost = { attempt: 'Connect to this machine', argv: ({ port }: Target) => ['node', '-e', connects(HOST, port)] }
    test.each([byHost, ...CLUSTER_PROBES])('$attempt', async ({ argv }) => {
      expect(hasEscaped(await lab.kubectl('exec', 'plain', '--', ...argv(target)))).toBe(true)
    })
  })

  describe('of a sandbox it cannot', () => {
    probeSuite('kubernetes', missing, async probe => (await runIn(sandbox, probe.argv(target))).stdout)
  })
})

const connects = (host: string, port: number) =>
  `require('net').connect(${port}, '${host}', () => { console.log('ESCAPED'); process.exit() })`

const pod = (name: string, program: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name, image: LAB_IMAGE, imagePullPolicy: 'Never', command: ['node', '-e', program] }] },
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}
