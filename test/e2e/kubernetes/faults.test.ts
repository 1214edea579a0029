import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { renderSetup } from '#server/executors/kubernetes/setup.ts'
import { applySetup } from '#server/executors/kubernetes/survey.ts'
import { createClient } from '#shared/contract/index.ts'
import { type JobEvent, type JobRequest, KubernetesConfig } from '#shared/model/index.ts'
import { startNode, type TestNode } from '../node.ts'
import { type Lab, openLab, PATIENT, START_MS, TURN_MS, whyNoCluster, whyNoImage } from './lab.ts'

const SKEIN = resolve(import.meta.dirname, '../../../cli/main.ts')
const IMAGE = 'localhost/node:24'
const WAIT = 'echo ready; exec sleep 1000'

describe.skipIf((whyNoCluster() ?? whyNoImage()) !== null)(
  'whole attempts in pods, and what befalls them',
  { timeout: 2 * START_MS },
  () => {
    let lab: Lab
    let node: TestNode
    let settings: object
    beforeAll(async () => {
      lab = await openLab()
      lab.loadImage('node')
      await applySetup(await lab.api(), renderSetup(KubernetesConfig.parse({})))
      const kubeconfig = await lab.kubeconfig('skein:skein')
      settings = {
        kubeconfig,
        image: IMAGE,
        imagePull: 'Never',
        requests: { cpuCores: 0.05, memoryBytes: 2 ** 24, diskBytes: 2 ** 20 },
        home: { port: 0 },
        startMs: START_MS,
      }
      node = await startNode(flat({ 'executors.kubernetes': settings }))
    }, TURN_MS)
    afterEach(({ task }) => (task.result?.state === 'fail' ? lab.mend() : undefined))
    afterAll(async () => {
      await node?.[Symbol.asyncDispose]()
      await lab?.[Symbol.asyncDispose]()
    })

    const request = (script: string, changes: Partial<JobRequest> = {}): JobRequest => ({
      task: 'Try',
      agent: 'command',
      argv: ['sh', '-c', script],
      executor: 'kubernetes',
      ...changes,
    })
    const submit = async (script: string, changes: Partial<JobRequest> = {}) =>
      (await node.client.createJob({ body: request(script, changes) })).jobId
    /** Until the program of that attempt has said something. */
    const runs = async (id: string, epoch: number) => {
      await node.until(id, ({ body }) => body.type === 'job.state' && body.to === 'running' && body.epoch === epoch)
      await expect.poll(() => podOf(id, epoch), PATIENT).not.toBe('')
    }
    const podOf = async (id: string, epoch: number) =>
      (await lab.kubectl('get', 'pods', '-n', 'skein', '-l', `skein.dev/job=${id},skein.dev/epoch=${epoch}`, '-o', 'name')).trim()
    const left = async () => (await lab.kubectl('get', 'jobs,pods,secrets', '-n', 'skein', '-o', 'name')).trim()
    const nothingLeft = () => expect.poll(left, PATIENT).toBe('')
    const lostBy = (id: string, epoch: number) =>
      node.until(id, ({ body }) => body.type === 'attempt.lost' && body.epoch === epoch).then(reasonOf)
    const reasonOf = ({ body }: JobEvent) => (body.type === 'attempt.lost' ? body.reason : '')
    const cancel = async (id: string) => {
      await node.client.cancelJob({ params: { id } })
      const { job } = await node.finish(id)
      expect(job.state).toBe('cancelled')
    }

    test('pod deleted, Job deleted, node drained: the attempt is lost for that reason, and the job is placed again', async () => {
      const id = await submit(WAIT, { maxAttempts: 5 })
      await runs(id, 1)
      await lab.kubectl('delete', '-n', 'skein', await podOf(id, 1), '--wait=false')
      expect(await lostBy(id, 1)).toContain('Its pod was deleted by somebody')
      await runs(id, 2)
      await lab.kubectl('delete', 'jobs', '-n', 'skein', '-l', `skein.dev/job=${id},skein.dev/epoch=2`, '--wait=false')
      expect(await lostBy(id, 2)).toContain('Its Job was deleted by somebody')
      await runs(id, 3)
      await lab.kubectl('drain', 'lab', '--force', '--ignore-daemonsets', '--delete-emptydir-data')
      expect(await lostBy(id, 3)).toContain('drained')
      await lab.kubectl('uncordon', 'lab')
      await cancel(id)
      await nothingLeft()
    })

    test('a runner that its own program kills loses the attempt, as often as it may, and the job ends with the reason', async () => {
      const { job } = await node.finish(await submit('kill -9 $PPID; sleep 1000', { maxAttempts: 2 }))
      expect(job).toMatchObject({
        state: 'failed',
        epoch: 2,
        failure: { detail: expect.stringContaining('The runner in it was killed') },
      })
      await nothingLeft()
    })

    test('a runner that its own program stops, and a program that ignores SIGTERM, hold up no end', async () => {
      const stopping = await submit('sleep 2; kill -STOP $PPID; exec sleep 1000')
      await runs(stopping, 1)
      await cancel(stopping)
      const stubborn = await submit(`trap '' TERM; while :; do sleep 0.1; done`)
      await runs(stubborn, 1)
      await cancel(stubborn)
      await nothingLeft()
    })

    test('more memory than it may use, an image that is not there, one without Node.js: each fails with its own code', async () => {
      const hungry = `exec node -e 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))'`
      const [memory, image, without] = await Promise.all([
        submit(hungry, { limits: { memoryBytes: 2 ** 28 } }),
        submit('true', { image: 'localhost/none:1' }),
        submit('true', { image: 'localhost/busybox:1' }),
      ])
      const codeOf = async (id: string) => (await node.finish(id)).job.failure?.code
      expect(await Promise.all([codeOf(memory), codeOf(image), codeOf(without)])).toEqual([
        'limit_memory',
        'image_unavailable',
        'image_unsuitable',
      ])
      await nothingLeft()
    })

    test('a quota that others fill makes a job wait until there is room, and fails nothing', async () => {
      const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'tight', namespace: 'skein' } }
      lab.apply({ ...quota, spec: { hard: { pods: '1' } } })
      const tight = () => lab.kubectl('get', 'quota', 'tight', '-n', 'skein', '-o', 'jsonpath={.status.used}')
      await expect.poll(tight).toContain('pods')
      const first = await submit(WAIT)
      await runs(first, 1)
      const second = await submit('true')
      const full = async () => (await node.client.listExecutors()).items.find(({ kind }) => kind === 'kubernetes')?.capacity?.full
      await expect.poll(full, PATIENT).toContain('quota tight')
      expect((await node.client.getJob({ params: { id: second } })).state).not.toBe('failed')
      await cancel(first)
      const { job } = await node.finish(second)
      expect(job).toMatchObject({ state: 'succeeded', failure: null })
      await lab.kubectl('delete', 'quota', 'tight', '-n', 'skein')
      await nothingLeft()
    })

    test('an API server that is away for longer than half a minute costs a running attempt nothing', async () => {
      const id = await submit('echo ready; sleep 45; echo done')
      await runs(id, 1)
      lab.stop('apiserver')
      const { job, log } = await (async () => {
        // The program ends by itself meanwhile; its pod is removed when there is somebody to ask.
        await expect.poll(async () => (await node.client.readLog({ params: { id } })).text(), PATIENT).toContain('done')
        lab.start('apiserver')
        return node.finish(id)
      })()
      expect(job, log).toMatchObject({ state: 'succeeded', epoch: 1 })
      await nothingLeft()
    })

    test('a node that is killed finds nothing of its own when it is back, and places the job again', async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'skein-kube-kill-'))
      const file = join(dataDir, 'skein.yaml')
      await writeFile(file, JSON.stringify({ executors: { kubernetes: settings }, jobs: { graceMs: 300 } }))
      const env = { PATH: process.env.PATH, HOME: dataDir, OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off' }
      const start = async () => {
        const argv = [SKEIN, 'serve', '--json', '--port', '0', '--data-dir', dataDir, '--config', file, '--log-level', 'warn']
        const server: ChildProcess = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'inherit'] })
        if (!server.stdout) throw new Error('There is no standard output')
        const [line] = (await once(createInterface(server.stdout), 'line')) as [string]
        const { url } = JSON.parse(line) as { url: string }
        const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
        return { server, client: createClient((path, init) => fetch(url + path, init as RequestInit), token) }
      }
      const before = await start()
      const { jobId: id } = await before.client.createJob({ body: request(WAIT) })
      await expect.poll(() => podOf(id, 1), PATIENT).not.toBe('')
      const running = async (client: typeof before.client) => (await client.getJob({ params: { id } })).state
      await expect.poll(() => running(before.client), PATIENT).toBe('running')
      before.server.kill('SIGKILL')
      await once(before.server, 'exit')
      const after = await start()
      await expect.poll(() => podOf(id, 2), PATIENT).not.toBe('')
      await expect.poll(() => podOf(id, 1), PATIENT).toBe('')
      await after.client.cancelJob({ params: { id } })
      await expect.poll(() => running(after.client), PATIENT).toBe('cancelled')
      await nothingLeft()
      after.server.kill('SIGTERM')
      await once(after.server, 'exit')
      await rm(dataDir, { recursive: true })
    })

    test.each([
      ['a context that is not there', { context: 'elsewhere' }, 'there is no context elsewhere; it has lab'],
      ['a file that is not there', { kubeconfig: '/absent/kubeconfig' }, 'does not exist'],
      ['a namespace that is not there', { namespace: 'absent' }, 'absent'],
    ])('%s is told when the job is given, before anything is made', async (_, changes, words) => {
      await using other = await startNode(flat({ 'executors.kubernetes': { ...settings, ...changes } }))
      await expect(other.client.createJob({ body: request('true') })).rejects.toMatchObject({
        message: expect.stringContaining(words),
      })
    })
  },
)

/** Settings by dotted path, down to what is no object. */
function flat(settings: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([path, value]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(flat(Object.fromEntries(Object.entries(value).map(([key, inner]) => [`${path}.${key}`, inner]))))
        : [[path, value]],
    ),
  )
}
