import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startNode } from '../node.ts'
import { type Attempts, attemptRequest, flat, openAttempts, WAIT } from './attempts.ts'
import { labSettings, prepareLab } from './executor.ts'
import { type Lab, openLab, PATIENT, START_MS, TURN_MS, whyNoCluster, whyNoImage } from './lab.ts'
import { serverOfItsOwn } from './server.ts'

describe.skipIf((whyNoCluster() ?? whyNoImage()) !== null)(
  'whole attempts in pods, and what befalls them',
  { timeout: 2 * START_MS },
  () => {
    let lab: Lab
    let attempts: Attempts
    let settings: Record<string, unknown>
    beforeAll(async () => {
      lab = await openLab()
      await prepareLab(lab, labSettings())
      settings = { ...labSettings(), kubeconfig: await lab.kubeconfig('skein:skein') }
      attempts = await openAttempts(lab, settings)
    }, TURN_MS)
    afterEach(({ task }) => (task.result?.state === 'fail' ? lab.mend() : undefined))
    afterAll(async () => {
      await attempts?.[Symbol.asyncDispose]()
      await lab?.[Symbol.asyncDispose]()
    })

    test('pod deleted, Job deleted, node drained: the attempt is lost for that reason, and the job is placed again', async () => {
      const id = await attempts.submit(WAIT, { maxAttempts: 5 })
      await attempts.runs(id, 1)
      await lab.kubectl('delete', '-n', 'skein', await attempts.podOf(id, 1), '--wait=false')
      expect(await attempts.lostBy(id, 1)).toContain('Its pod was deleted by somebody')
      await attempts.runs(id, 2)
      await lab.kubectl('delete', 'jobs', '-n', 'skein', '-l', `skein.dev/job=${id},skein.dev/epoch=2`, '--wait=false')
      expect(await attempts.lostBy(id, 2)).toContain('Its Job was deleted by somebody')
      await attempts.runs(id, 3)
      await lab.kubectl('drain', 'lab', '--force', '--ignore-daemonsets', '--delete-emptydir-data')
      expect(await attempts.lostBy(id, 3)).toContain('drained')
      await lab.kubectl('uncordon', 'lab')
      await attempts.cancel(id)
      await attempts.nothingLeft()
    })

    test('a runner that its own program kills loses the attempt, as often as it may, and the job ends with the reason', async () => {
      const { job } = await attempts.node.finish(await attempts.submit('kill -9 $PPID; sleep 1000', { maxAttempts: 2 }))
      expect(job).toMatchObject({
        state: 'failed',
        epoch: 2,
        failure: { detail: expect.stringContaining('The runner in it was killed') },
      })
      await attempts.nothingLeft()
    })

    test('a runner that its own program stops, and a program that ignores SIGTERM, hold up no end', async () => {
      const stopping = await attempts.submit('sleep 2; kill -STOP $PPID; exec sleep 1000')
      await attempts.runs(stopping, 1)
      await attempts.cancel(stopping)
      const stubborn = await attempts.submit(`trap '' TERM; while :; do sleep 0.1; done`)
      await attempts.runs(stubborn, 1)
      await attempts.cancel(stubborn)
      await attempts.nothingLeft()
    })

    test('more memory than it may use, an image that is not there, one without Node.js: each fails with its own code', async () => {
      const hungry = `exec node -e 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))'`
      const [memory, image, without] = await Promise.all([
        attempts.submit(hungry, { limits: { memoryBytes: 2 ** 28 } }),
        attempts.submit('true', { image: 'localhost/none:1' }),
        attempts.submit('true', { image: 'localhost/busybox:1' }),
      ])
      const codeOf = async (id: string) => (await attempts.node.finish(id)).job.failure?.code
      expect(await Promise.all([codeOf(memory), codeOf(image), codeOf(without)])).toEqual([
        'limit_memory',
        'image_unavailable',
        'image_unsuitable',
      ])
      await attempts.nothingLeft()
    })

    test('a quota that others fill makes a job wait until there is room, and fails nothing', async () => {
      const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'tight', namespace: 'skein' } }
      lab.apply({ ...quota, spec: { hard: { pods: '1' } } })
      const tight = () => lab.kubectl('get', 'quota', 'tight', '-n', 'skein', '-o', 'jsonpath={.status.used}')
      await expect.poll(tight).toContain('pods')
      const first = await attempts.submit(WAIT)
      await attempts.runs(first, 1)
      const second = await attempts.submit('true')
      const full = async () =>
        (await attempts.node.client.listExecutors()).items.find(({ kind }) => kind === 'kubernetes')?.capacity?.full
      await expect.poll(full, PATIENT).toContain('quota tight')
      expect((await attempts.node.client.getJob({ params: { id: second } })).state).not.toBe('failed')
      await attempts.cancel(first)
      const { job } = await attempts.node.finish(second)
      expect(job).toMatchObject({ state: 'succeeded', failure: null })
      await lab.kubectl('delete', 'quota', 'tight', '-n', 'skein')
      await attempts.nothingLeft()
    })

    test('an API server that is away for longer than half a minute costs a running attempt nothing', async () => {
      const id = await attempts.submit('echo ready; sleep 45; echo done')
      await attempts.runs(id, 1)
      lab.stop('apiserver')
      const { job, log } = await (async () => {
        // The program ends by itself meanwhile; its pod is removed when there is somebody to ask.
        await expect.poll(async () => (await attempts.node.client.readLog({ params: { id } })).text(), PATIENT).toContain('done')
        lab.start('apiserver')
        return attempts.node.finish(id)
      })()
      expect(job, log).toMatchObject({ state: 'succeeded', epoch: 1 })
      await attempts.nothingLeft()
    })

    test('a node that is killed finds nothing of its own when it is back, and places the job again', async () => {
      await using own = await serverOfItsOwn(settings)
      const before = await own.start()
      const { jobId: id } = await before.client.createJob({ body: attemptRequest(WAIT) })
      await expect.poll(() => attempts.podOf(id, 1), PATIENT).not.toBe('')
      const running = async (client: typeof before.client) => (await client.getJob({ params: { id } })).state
      await expect.poll(() => running(before.client), PATIENT).toBe('running')
      await own.end(before.server, 'SIGKILL')
      const after = await own.start()
      await expect.poll(() => attempts.podOf(id, 2), PATIENT).not.toBe('')
      await expect.poll(() => attempts.podOf(id, 1), PATIENT).toBe('')
      await after.client.cancelJob({ params: { id } })
      await expect.poll(() => running(after.client), PATIENT).toBe('cancelled')
      await attempts.nothingLeft()
    })

    test.each([
      ['a context that is not there', { context: 'elsewhere' }, 'there is no context elsewhere; it has lab'],
      ['a file that is not there', { kubeconfig: '/absent/kubeconfig' }, 'does not exist'],
      ['a namespace that is not there', { namespace: 'absent' }, 'absent'],
    ])('%s is told when the job is given, before anything is made', async (_, changes, words) => {
      await using other = await startNode(flat({ 'executors.kubernetes': { ...settings, ...changes } }))
      await expect(other.client.createJob({ body: attemptRequest('true') })).rejects.toMatchObject({
        message: expect.stringContaining(words),
      })
    })
  },
)
