import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { NEEDS, renderSetup } from '#server/executors/kubernetes/setup.ts'
import { Config, KubernetesConfig } from '#shared/model/index.ts'
import { CHART, helm, type Manifest, objectsOf, template, VALUES, whyNoHelm } from './chart.ts'

const missing = await whyNoHelm()
if (missing) console.warn(`Skipped: the chart. ${missing}`)
const AGENTS = ['--set', 'agents.enabled=true']
const files = (await readdir(VALUES)).sort()

const rendered = async (...args: string[]): Promise<Manifest[]> => {
  const { code, stdout, stderr } = await template(...args)
  expect(code, stderr).toBe(0)
  return objectsOf(stdout)
}
const rightsOf = (objects: readonly { kind: string; rules?: Manifest['rules'] }[], kind: string): string[] =>
  objects
    .filter(object => object.kind === kind)
    .flatMap(({ rules = [] }) => rules)
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap(group => resources.flatMap(resource => verbs.map(verb => `${group}/${resource}:${verb}`))),
    )
    .sort()

describe.skipIf(missing !== null)('the chart', () => {
  test.each(files)('is without a fault with the values %s, and makes what it made', async file => {
    const values = ['--values', `${VALUES}/${file}`]
    const lint = await helm('lint', '--strict', CHART, '--namespace', 'skein', ...values)
    expect(lint.code, lint.stdout + lint.stderr).toBe(0)
    const { code, stdout, stderr } = await template(...values)
    expect(code, stderr).toBe(0)
    await expect(stdout).toMatchFileSnapshot(`snapshots/${file}`)
  })

  test.each([
    ['replicas=2', /replicas/],
    ['agents.homePort=8080', /agents\/homePort/],
    ['agents.namespace=skein', /must not be skein/],
    ['agents.namespace=Not_A_Name', /agents\/namespace/],
    ['image.tag=a b', /image\/tag/],
    ['image.repository=', /image\/repository/],
    ['image.pullPolicy=Sometimes', /pullPolicy/],
    ['persistence.size=lots', /persistence\/size/],
    ['persistence.accessMode=ReadWriteMany', /accessMode/],
    ['podDisruptionBudget.maxUnavailable=2', /maxUnavailable/],
    ['service.port=70000', /service\/port/],
    ['config.dataDir=/elsewhere', /config/],
    ['config.api.port=9', /config/],
    ['env[0].name=SKEIN_DATA_DIR', /env\/0/],
    ['serviceMonitor.enabled=true', /tokenSecret\.name is needed/],
    ['terminationGracePeriodSeconds=0', /terminationGracePeriodSeconds/],
  ])('refuses %s', async (value, why) => {
    const { code, stderr } = await template(...AGENTS, '--set', value)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(why)
  })

  test('gives the node the rights that its executor asks for, and no more', async () => {
    const chart = await rendered(...AGENTS)
    const setup = renderSetup(KubernetesConfig.parse({ namespace: 'skein-agents' })) as unknown as Manifest[]
    for (const kind of ['Role', 'ClusterRole']) {
      expect(rightsOf(setup, kind)).not.toEqual([])
      expect(rightsOf(chart, kind)).toEqual(rightsOf(setup, kind))
    }
    expect(chart.find(({ kind }) => kind === 'Role')?.metadata.namespace).toBe('skein-agents')
    const asked = NEEDS.filter(({ isClusterWide }) => !isClusterWide).map(({ resource }) => resource)
    expect(new Set(rightsOf(chart, 'Role').map(right => right.replace(/^.*\/|:.*$/g, '')))).toEqual(new Set(asked))
    expect(rightsOf(await rendered(...AGENTS, '--set', 'rbac.capacity=false'), 'ClusterRole')).toEqual([])
  })

  test('keeps the namespace of agents as the executor sets it up', async () => {
    const labels = (objects: readonly Manifest[]) =>
      Object.entries(objects.find(({ kind }) => kind === 'Namespace')?.metadata.labels ?? {}).filter(([name]) =>
        name.startsWith('pod-security'),
      )
    const setup = renderSetup(KubernetesConfig.parse({ namespace: 'skein-agents' })) as unknown as Manifest[]
    const chart = await rendered(...AGENTS)
    expect(labels(chart)).toEqual(labels(setup))
    const policy = (objects: readonly Manifest[]) =>
      objects
        .filter(({ kind }) => kind === 'NetworkPolicy')
        .map(({ spec }) => spec as { podSelector: unknown; policyTypes: string[]; ingress: unknown[] })
        .find(({ policyTypes }) => policyTypes.includes('Egress'))
    expect(policy(chart)).toMatchObject({
      podSelector: policy(setup)?.podSelector,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
    })
  })

  test.each(files)('writes settings that the orchestrator takes, with the values %s', async file => {
    const map = (await rendered('--values', `${VALUES}/${file}`)).find(({ kind }) => kind === 'ConfigMap')
    const settings = parse(map?.data?.['skein.yaml'] ?? '')
    expect(Config.parse({ ...settings, dataDir: '/data/node' })).toMatchObject(settings)
  })

  test('tells the node where its agents are and how they come home, and keeps what else is said of them', async () => {
    const settingsOf = async (...more: string[]) => {
      const map = (await rendered(...AGENTS, ...more)).find(({ kind }) => kind === 'ConfigMap')
      return parse(map?.data?.['skein.yaml'] ?? '').executors.kubernetes
    }
    const own = { enabled: true, namespace: 'skein-agents', home: { address: 'auto', port: 8090 } }
    expect(await settingsOf()).toEqual(own)
    expect(await settingsOf('--set', 'config.executors.kubernetes.image=localhost/node:24,agents.homePort=9443')).toEqual({
      ...own,
      image: 'localhost/node:24',
      home: { address: 'auto', port: 9443 },
    })
    expect((await settingsOf('--set', 'service.clusterIP=10.96.0.77')).home).toEqual({ address: '10.96.0.77', port: 8090 })
  })

  test('is of the version of what it runs', async () => {
    const { appVersion } = parse(await readFile(`${CHART}/Chart.yaml`, 'utf8'))
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(appVersion).toBe(version)
  })

  test('asks for no right and no token where agents run elsewhere', async () => {
    const objects = await rendered('--set', 'agents.enabled=false')
    expect(new Set(objects.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['skein']))
    expect(objects.filter(({ kind }) => /Role|Namespace/.test(kind))).toEqual([])
    expect(JSON.stringify(objects)).not.toMatch(/"automountServiceAccountToken":true|8090/)
  })

  test('passes secrets by name only', async () => {
    const { stdout } = await template('--values', `${VALUES}/everything.yaml`)
    expect(objectsOf(stdout).filter(({ kind }) => kind === 'Secret')).toEqual([])
    expect(stdout).toContain('secretRef: { name: keys-of-providers }')
  })
})
