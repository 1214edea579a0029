import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { SandboxSpec } from '#server/executors/index.ts'
import type { ClusterApi } from '#server/executors/kubernetes/cluster-api.ts'
import { shortHash } from '#server/executors/kubernetes/names.ts'
import { missingRights } from '#server/executors/kubernetes/permissions.ts'
import type { PodPlace } from '#server/executors/kubernetes/pod-place.ts'
import { createPods, type Pods } from '#server/executors/kubernetes/pods.ts'
import { probeCluster } from '#server/executors/kubernetes/probe.ts'
import { renderSetup } from '#server/executors/kubernetes/setup.ts'
import { applySetup, surveyCapacity } from '#server/executors/kubernetes/survey.ts'
import { systemClock } from '#server/lib/clock.ts'
import { KubernetesConfig } from '#shared/model/index.ts'
import { type Lab, openLab, PATIENT, START_MS, TURN_MS, whyNoCluster } from './lab.ts'

const MiB = 2 ** 20
const FOREVER = 'while :; do sleep 0.1; done'
const TIMEOUT = { timeout: 2 * START_MS }

describe.skipIf(whyNoCluster() !== null)('pods of sandboxes on a real cluster', TIMEOUT, () => {
  let lab: Lab
  let admin: ClusterApi
  let requests: string[] = []
  let api: ClusterApi
  let count = 0
  const opened: Pods[] = []
  const settings = (changes: object = {}) =>
    KubernetesConfig.parse({
      namespace: 'skein',
      image: 'localhost/busybox:1',
      imagePull: 'Never',
      requests: { cpuCores: 0.05, memoryBytes: 16 * MiB, diskBytes: MiB },
      cpuCores: 1,
      startMs: START_MS,
      ...changes,
    })
  const open = (changes: object = {}, nodeId = `node-${++count}`, program = '// the runner') => {
    const log = { warn() {}, info() {} }
    const runner = async () => program
    const pods = createPods({
      api,
      nodeId,
      settings: settings(changes),
      runner,
      graceMs: 1_000,
      clock: systemClock,
      random: Math.random,
      log,
    })
    opened.push(pods)
    return pods
  }
  const spec = (changes: Partial<SandboxSpec> = {}): SandboxSpec => ({
    id: `test-${++count}`,
    workTree: '/unused',
    scratch: '/unused',
    readOnly: [],
    env: {},
    limits: { memoryBytes: 64 * MiB, cpuSeconds: 60, processes: 100, fileBytes: MiB, diskBytes: 64 * MiB, logBytes: MiB },
    gatewaySocket: null,
    isolation: 'sandbox',
    job: { id: '01J5', epoch: 2, purpose: 'agent' },
    ...changes,
  })
  const shell = (program: string, changes: object = {}) => ({
    command: ['sh', '-c', program],
    secret: { token: 'secret' },
    ...changes,
  })
  const make = (program = FOREVER, pods = open()) => pods.make(spec(), shell(program))
  const left = async (what = 'jobs,pods,secrets') => (await lab.kubectl('get', what, '-n', 'skein', '-o', 'name')).trim()
  const lost = (place: PodPlace) =>
    new Promise<Error & { code?: string }>(resolve => {
      if (place.lost.aborted) resolve(place.lost.reason)
      place.lost.addEventListener('abort', () => resolve(place.lost.reason))
    })
  const podOf = async ({ name }: PodPlace) =>
    (await lab.kubectl('get', 'pod', '-n', 'skein', '-l', `job-name=${name}`, '-o', 'name')).trim()

  beforeAll(async () => {
    lab = await openLab()
    admin = await lab.api()
    await applySetup(admin, renderSetup(settings(), { quota: { pods: 100 } }))
    // Everything below is done with the rights that the setup gives, and no others.
    api = await lab.api('skein:skein', (method, path) => requests.push(`${method} ${path}`))
  }, TURN_MS)
  afterEach(({ task }) => (task.result?.state === 'fail' ? lab.mend() : undefined))
  afterAll(async () => {
    for (const pods of opened) pods.close()
    await lab?.[Symbol.asyncDispose]()
  })

  test('the setup gives every right that is asked for, may be applied again, and an account without it is told what it lacks', async () => {
    expect(await missingRights(api, 'skein')).toEqual([])
    await applySetup(admin, renderSetup(settings(), { quota: { pods: 100 } }))
    await lab.kubectl('create', 'serviceaccount', 'nobody', '-n', 'skein')
    const missing = await missingRights(await lab.api('skein:nobody'), 'skein')
    expect(missing).toContainEqual({ right: 'create jobs.batch in skein', why: 'a sandbox is a Job', isOptional: false })
    expect(await probeCluster(await lab.api('skein:nobody'), settings())).toMatchObject({ available: false, version: 'v1.35.4' })
    expect(await probeCluster(api, settings())).toMatchObject({
      available: true,
      isolation: 'container',
      version: 'v1.35.4',
      remedy: null,
    })
    const absent = settings({ namespace: 'nowhere' })
    expect(await probeCluster(admin, absent)).toMatchObject({ detail: expect.stringContaining('"nowhere" not found') })
    const elsewhere = createPodsOf(await lab.api('skein:nobody'))
    await expect(elsewhere.make(spec(), shell(FOREVER))).rejects.toMatchObject({
      code: 'unavailable',
      remedy: expect.stringContaining('setup kubernetes'),
    })
  })
  const createPodsOf = (other: ClusterApi) => {
    const mine = api
    api = other
    const pods = open()
    api = mine
    return pods
  }

  test('a sandbox runs restricted, says where, and leaves nothing', async () => {
    const place = await make(
      'id -u; cat /skein/secret/token; echo; touch /nowhere; touch /skein/work/x && echo made; ls /var/run/secrets; sleep 1000',
    )
    expect(place.condition()).toMatchObject({ state: 'running', machine: 'lab', image: 'localhost/busybox:1', failure: null })
    await expect
      .poll(() => podOf(place).then(pod => lab.kubectl('logs', '-n', 'skein', pod)), PATIENT)
      .toMatch(/^(?=.*10001\n)(?=.*secret\n)(?=.*touch: \/nowhere: Read-only file system)(?=.*made\n)(?=.*ls: .*No such file)/s)
    await place.remove()
    await place.remove()
    expect(place.lost.aborted).toBe(false)
    await expect.poll(() => left('jobs,pods')).toBe('')
    await expect.poll(() => left('secrets'), PATIENT).toBe('')
  })

  test('ten sandboxes cost four requests each, and what is shared is asked once', async () => {
    const pods = open()
    requests = []
    const places = await Promise.all(Array.from({ length: 10 }, () => make(FOREVER, pods)))
    await Promise.all(places.map(place => place.remove()))
    const own = requests.filter(request => /jobs\/|secrets\/|POST .*(jobs|secrets)$/.test(request))
    expect(own).toHaveLength(40)
    // A ConfigMap, a list of old ones, and a list and a watch of Jobs, pods and events each.
    expect(requests.length - own.length).toBeLessThanOrEqual(8)
  })

  test('runners of earlier versions are removed, and those of other nodes are not', async () => {
    const maps = async () => (await lab.kubectl('get', 'configmaps', '-n', 'skein', '-o', 'name')).trim().split('\n')
    await (await make(FOREVER, open({}, 'first', '// an earlier one'))).remove()
    await (await make(FOREVER, open({}, 'second', '// an earlier one'))).remove()
    const before = await maps()
    await (await make(FOREVER, open({}, 'first'))).remove()
    const after = await maps()
    const own = `configmap/skein-runner-${shortHash('first', 8)}-`
    expect(before.filter(name => name.startsWith(own))).toHaveLength(1)
    expect(after.filter(name => name.startsWith(own))).toHaveLength(1)
    expect(after.filter(name => name.startsWith(own))).not.toEqual(before.filter(name => name.startsWith(own)))
    expect(before.filter(name => !name.startsWith(own) && !after.includes(name))).toEqual([])
  })

  test('a pod, and a Job, that somebody deletes is lost, and so said', async () => {
    const pods = open()
    const [one, other] = await Promise.all([make(FOREVER, pods), make(FOREVER, pods)])
    await lab.kubectl('delete', '-n', 'skein', await podOf(one), '--wait=false')
    expect(await lost(one)).toMatchObject({ code: 'lost', message: 'Its pod was deleted by somebody' })
    expect(other.lost.aborted).toBe(false)
    await lab.kubectl('delete', '-n', 'skein', `job/${other.name}`, '--wait=false')
    expect(await lost(other)).toMatchObject({ code: 'lost', message: 'Its Job was deleted by somebody' })
    await Promise.all([one.remove(), other.remove()])
    await expect.poll(() => left('jobs,pods')).toBe('')
  })

  test.each([
    ['exit 3', 'exit code 3'],
    ['kill -9 $$', 'The runner in it'],
    ['x=a; while :; do x=$x$x; done', 'more memory than it may'],
  ])('a runner that does %j is lost, and so said', async (program, words) => {
    const place = await make(`sleep 1; sh -c '${program}'; exit $?`)
    const failure = await lost(place)
    expect(failure).toMatchObject({ code: 'lost', message: expect.stringContaining(words) })
    await place.remove()
    expect(await left('jobs,pods')).toBe('')
  })

  test.each([
    ['an image that is not there', { image: 'localhost/none:1' }, ['sh'], 'image_unavailable'],
    ['an image without our program', {}, ['node', '/skein/runner/runner.mjs'], 'image_unsuitable'],
  ])('%s is refused with a reason, and leaves nothing', async (_, changes, command, code) => {
    await expect(open().make(spec(changes), { command, secret: {} })).rejects.toMatchObject({ code })
    await expect.poll(() => left('jobs,pods')).toBe('')
  })

  test('a program that ignores SIGTERM is killed after the grace', async () => {
    const place = await make(`trap '' TERM; ${FOREVER}`)
    await place.remove()
    expect(await left('pods')).toBe('')
  })

  test('a full quota is told while it waits, fails in time, and lets the next in when there is room', async () => {
    lab.apply({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'tight', namespace: 'skein' },
      spec: { hard: { pods: '1' } },
    })
    await expect
      .poll(() => lab.kubectl('get', 'quota', 'tight', '-n', 'skein', '-o', 'jsonpath={.status.used}'))
      .toContain('pods')
    const first = await make()
    expect((await surveyCapacity(api, settings())).full).toContain('quota tight')
    const notes: string[] = []
    const second = open({ startMs: 15_000 }).make(spec({ note: text => notes.push(text) }), shell(FOREVER))
    await expect(second).rejects.toMatchObject({ code: 'unschedulable', message: expect.stringContaining('Quota tight') })
    expect(notes.join()).toContain('Quota tight of the namespace is used up')
    await first.remove()
    await (await make()).remove()
    await lab.kubectl('delete', 'quota', 'tight', '-n', 'skein')
  })

  test('a cordoned node takes nothing: told while it waits; a drained one loses what it had', async () => {
    const place = await make()
    await lab.kubectl('cordon', 'lab')
    expect(await surveyCapacity(api, settings())).toMatchObject({ places: 0, full: expect.stringContaining('cordoned') })
    const notes: string[] = []
    const waiting = open().make(spec({ note: text => notes.push(text) }), shell(FOREVER))
    await expect.poll(() => notes.join(), PATIENT).toContain('No node of the cluster has room for it')
    await lab.kubectl('drain', 'lab', '--force', '--ignore-daemonsets', '--delete-emptydir-data')
    expect(await lost(place)).toMatchObject({ code: 'lost', message: expect.stringContaining('drained') })
    await place.remove()
    await lab.kubectl('uncordon', 'lab')
    await (await waiting).remove()
    expect(await left('jobs,pods')).toBe('')
  })

  test('what waits can be given up', async () => {
    await lab.kubectl('cordon', 'lab')
    const given = new AbortController()
    const note = () => given.abort(new Error('given up'))
    await expect(open().make(spec({ note }), shell(FOREVER, { signal: given.signal }))).rejects.toThrow('given up')
    await lab.kubectl('uncordon', 'lab')
    await expect.poll(() => left('jobs,pods')).toBe('')
  })

  test('what an earlier run left is removed and counted; what lives, and what is of another node, is not', async () => {
    const [before, other] = [open({}, 'same'), open()]
    const old = await make(FOREVER, before)
    const foreign = await make(FOREVER, other)
    before.close()
    const after = open({}, 'same')
    const living = await make(FOREVER, after)
    expect(await after.reap()).toBe(1)
    expect(await after.reap()).toBe(0)
    await expect.poll(() => left('pods'), PATIENT).not.toContain(old.name)
    expect([living.lost.aborted, foreign.lost.aborted]).toEqual([false, false])
    await Promise.all([living.remove(), foreign.remove()])
  })

  test('an API server that is away loses no sandbox; a removal meanwhile is done when it is back', async () => {
    const pods = open()
    const [kept, ended] = await Promise.all([make(FOREVER, pods), make(FOREVER, pods)])
    lab.stop('apiserver')
    const removal = ended.remove()
    await expect(pods.make(spec(), shell(FOREVER))).rejects.toMatchObject({ code: 'unavailable' })
    expect(kept.lost.aborted).toBe(false)
    lab.start('apiserver')
    await removal
    await lab.kubectl('delete', '-n', 'skein', await podOf(kept), '--wait=false')
    expect(await lost(kept)).toMatchObject({ message: 'Its pod was deleted by somebody' })
    await kept.remove()
    await expect.poll(() => left('jobs,pods'), PATIENT).toBe('')
  })

  test('a kubelet that is away does not keep a sandbox from being removed', async () => {
    const place = await make()
    lab.stop('kubelet')
    await place.remove()
    expect(await left('jobs,pods')).toBe('')
    lab.start('kubelet')
  })

  test('a GPU that a node has counts, and is given', async () => {
    const patch = JSON.stringify({ status: { capacity: { 'nvidia.com/gpu': '2' }, allocatable: { 'nvidia.com/gpu': '2' } } })
    await lab.kubectl('patch', 'node', 'lab', '--subresource=status', '--type', 'merge', '-p', patch)
    const place = await open().make(spec({ gpus: 1 }), shell(FOREVER))
    expect(await surveyCapacity(api, settings())).toMatchObject({ gpuCount: 1, full: null })
    expect((await surveyCapacity(api, settings())).images).toContain('localhost/busybox:1')
    await place.remove()
  })

  test('a namespace that somebody deletes takes its sandboxes with it, and so said', async () => {
    const place = await make()
    await lab.kubectl('delete', 'namespace', 'skein', '--wait=false')
    expect(await lost(place)).toMatchObject({ code: 'lost', message: expect.stringContaining('deleted by somebody') })
    await place.remove()
    await expect.poll(() => lab.kubectl('get', 'namespace', '-o', 'name'), PATIENT).not.toContain('skein')
    await expect(open().make(spec(), shell(FOREVER))).rejects.toMatchObject({
      code: 'unavailable',
      remedy: expect.stringContaining('setup kubernetes'),
    })
  })
})
