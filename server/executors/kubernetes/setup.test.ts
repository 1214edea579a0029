import { expect, test } from 'vitest'
import { KubernetesConfig } from '#shared/model/index.ts'
import { NEEDS, pathOf, renderSetup } from './setup.ts'

const settings = KubernetesConfig.parse({})
const kinds = (objects: ReturnType<typeof renderSetup>) => objects.map(({ kind }) => kind)

test('the namespace comes first, a quota only when asked for', () => {
  const least = ['Namespace', 'ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'NetworkPolicy']
  expect(kinds(renderSetup(settings))).toEqual(least)
  expect(kinds(renderSetup(settings, { quota: { pods: 10 } }))).toEqual([...least.slice(0, -1), 'ResourceQuota', 'NetworkPolicy'])
})

test('the role has what is needed and no more: no Secret is read back, nothing is opened', () => {
  const objects = renderSetup(settings)
  const rules = objects.flatMap(object => ('rules' in object ? (object.rules as { resources: string[]; verbs: string[] }[]) : []))
  const granted = rules.flatMap(({ resources, verbs }) => resources.flatMap(resource => verbs.map(verb => `${resource}:${verb}`)))
  expect(new Set(granted)).toEqual(new Set(NEEDS.flatMap(({ resource, verbs }) => verbs.map(verb => `${resource}:${verb}`))))
  for (const never of ['*', 'secrets:get', 'secrets:list', 'secrets:watch', 'pods:create', 'pods/exec', 'update', 'escalate'])
    expect(granted.some(right => right.includes(never))).toBe(false)
  for (const { why } of NEEDS) expect(why).not.toBe('')
})

test('pods reach their home and nothing else', () => {
  const policy = (home: object) => renderSetup(KubernetesConfig.parse({ home })).at(-1)
  expect(policy({ address: '10.1.2.3', port: 8443 })).toMatchObject({
    spec: {
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
      egress: [{ to: [{ ipBlock: { cidr: '10.1.2.3/32' } }], ports: [{ protocol: 'TCP', port: 8443 }] }],
    },
  })
  expect(policy({ address: 'fd00::1', port: 1 })).toMatchObject({
    spec: { egress: [{ to: [{ ipBlock: { cidr: 'fd00::1/128' } }] }] },
  })
  expect(policy({})).toMatchObject({ spec: { egress: [{ ports: [{ protocol: 'TCP', port: 8090 }] }] } })
  expect(policy({ address: 'skein.skein.svc', port: 1 })).toMatchObject({ spec: { egress: [{ ports: [{ port: 1 }] }] } })
})

test('every object has its place at the API server', () => {
  const paths = renderSetup(settings, { quota: {} }).map(pathOf)
  expect(paths).toContain('/api/v1/namespaces/skein')
  expect(paths).toContain('/apis/rbac.authorization.k8s.io/v1/namespaces/skein/roles/skein')
  for (const path of paths) expect(path).toMatch(/^\/apis?\/.+\/[a-z-]+$/)
})
