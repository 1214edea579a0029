// The chart before a real API server, that of test/lab/kube. With SKEIN_TEST_CLUSTER_IMAGE, an archive of an image of the orchestrator,
// and its name: `file.tar=localhost/skein:1`, the node is started there too.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type Lab, openLab, TURN_MS, whyNoCluster } from '../e2e/kubernetes/lab.ts'
import { CHART, objectsOf, toStream, VALUES, whyNoHelm } from './chart.ts'
import { type Ended, run } from './engine.ts'

const top = new URL('../../', import.meta.url).pathname
const inCluster = (...argv: string[]): Promise<Ended> => run(`${top}test/lab/kube/kube`, ['exec', ...argv])
const kubectl = (...args: string[]) => inCluster('kubectl', ...args)
const helm = (...args: string[]) => inCluster(`${top}test/lab/helm/helm`, ...args)

const missing = (await whyNoHelm()) ?? whyNoCluster()
if (missing) console.warn(`Skipped: the chart in a cluster. ${missing}`)
const files = await readdir(VALUES)
const [archive, image] = process.env.SKEIN_TEST_CLUSTER_IMAGE?.split('=') ?? []

describe.skipIf(missing !== null)('in a cluster, the chart', () => {
  const release = `skein-${randomBytes(3).toString('hex')}`
  const agents = `${release}-agents`
  let lab: Lab
  let directory: string

  beforeAll(async () => {
    // One of its own: that of another file goes away with that file.
    lab = await openLab()
    if (archive) lab.loadArchive(archive)
    directory = await mkdtemp(join(tmpdir(), 'skein-chart-'))
    for (const namespace of [release, agents]) expect(await kubectl('create', 'namespace', namespace)).toMatchObject({ code: 0 })
    const restricted = 'pod-security.kubernetes.io/enforce=restricted'
    for (const namespace of [release, agents]) await kubectl('label', 'namespace', namespace, restricted)
  }, TURN_MS)
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]()
    if (directory) await rm(directory, { recursive: true, force: true })
  })

  const own = ['--set', `agents.namespace=${agents}`, '--set', 'agents.createNamespace=false']

  test.each(files)('makes what the API server takes, with the values %s', async file => {
    const values = ['--values', `${VALUES}/${file}`, ...own]
    const { code, stdout, stderr } = await helm('template', release, CHART, '--namespace', release, ...values)
    expect(code, stderr).toBe(0)
    // A cluster without the operator of Prometheus has no such kind.
    const objects = objectsOf(stdout).filter(({ kind }) => kind !== 'ServiceMonitor')
    const path = join(directory, file)
    await writeFile(path, toStream(objects))
    const answer = await kubectl('apply', '--dry-run=server', '--validate=strict', '--filename', path)
    expect(answer.stderr).not.toMatch(/Warning: would violate/)
    expect(answer.code, answer.stderr).toBe(0)
    expect(answer.stdout.match(/created \(server dry run\)/g)).toHaveLength(objects.length)
  })

  test('gives rights over agents only, and not even there to read a secret or enter a pod', async () => {
    const [repository = '', tag = ''] = (image ?? 'localhost/none:0').split(/:(?=[^:]*$)/)
    const values = join(directory, 'install.yaml')
    const chosen = { image: { repository, tag, pullPolicy: 'Never' }, persistence: { enabled: false } }
    await writeFile(values, stringify(chosen))
    const installed = await helm(
      'install',
      release,
      CHART,
      '--namespace',
      release,
      '--values',
      values,
      ...own,
      '--set',
      'agents.enabled=true',
    )
    expect(installed.code, installed.stderr).toBe(0)
    expect(installed.stdout).toContain(`its agents run in ${agents}`)

    const account = `--as=system:serviceaccount:${release}:${release}`
    const may = async (verb: string, what: string, namespace: string) =>
      (await kubectl('auth', 'can-i', verb, what, account, '--namespace', namespace)).stdout.trim()
    for (const [verb, what] of [
      ['create', 'jobs.batch'],
      ['watch', 'pods'],
      ['create', 'secrets'],
      ['list', 'resourcequotas'],
    ] as const)
      expect(await may(verb, what, agents), `${verb} ${what}`).toBe('yes')
    for (const [verb, what] of [
      ['get', 'secrets'],
      ['list', 'secrets'],
      ['create', 'pods/exec'],
      ['create', 'rolebindings'],
      ['create', 'pods'],
    ] as const)
      expect(await may(verb, what, agents), `${verb} ${what}`).toBe('no')
    for (const [verb, what] of [
      ['create', 'jobs.batch'],
      ['create', 'secrets'],
      ['get', 'secrets'],
      ['delete', 'pods'],
    ] as const)
      expect(await may(verb, what, release), `${verb} ${what}`).toBe('no')
  })

  test.skipIf(!image)('starts a node that gets ready under the restricted profile, and goes in good order', async () => {
    const rollout = await kubectl('rollout', 'status', `statefulset/${release}`, '--namespace', release, '--timeout=90s')
    const log = await kubectl('logs', `${release}-0`, '--namespace', release)
    expect(rollout.code, rollout.stderr + log.stdout).toBe(0)
    expect(log.stdout).toContain('Skein is ready')
    const inPod = (...argv: string[]) => kubectl('exec', `${release}-0`, '--namespace', release, '--', ...argv)
    expect((await inPod('id', '-u')).stdout.trim()).toBe('10001')
    expect((await inPod('touch', '/opt/x')).code).not.toBe(0)
    expect((await inPod('stat', '-c', '%a %u', '/data/node', '/data/node/token')).stdout).toBe('700 10001\n600 10001\n')
    const { stdout: pod } = await kubectl('get', 'pod', `${release}-0`, '--namespace', release, '-o', 'jsonpath={.status.podIP}')
    // By its own address, as Prometheus asks; a name that is not its own is refused.
    const asked = (host: string) =>
      inCluster('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Host: ${host}`, `http://${pod}:8080/ready`)
    expect((await asked(`${pod}:8080`)).stdout).toBe('200')
    expect((await asked(`${release}.${release}.svc:8080`)).stdout).toBe('200')
    expect((await asked('elsewhere.example')).stdout).toBe('403')
    expect((await kubectl('delete', 'pod', `${release}-0`, '--namespace', release, '--timeout=60s')).code).toBe(0)
  })
})
