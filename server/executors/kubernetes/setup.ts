import type { KubernetesConfig } from '#shared/model/index.ts'
import { MANAGER } from './names.ts'

/** A verb that is needed on a resource, and what for. `isOptional`: without it something is unknown, but sandboxes run. */
export interface Need {
  readonly group: string
  readonly resource: string
  readonly verbs: readonly string[]
  readonly why: string
  /** Of the whole cluster rather than the namespace. */
  readonly isClusterWide?: boolean
  readonly isOptional?: boolean
}

/** Everything that is asked of a cluster, and nothing else. The roles are made of it, and `doctor` checks it. */
export const NEEDS: readonly Need[] = [
  { group: 'batch', resource: 'jobs', verbs: ['create'], why: 'a sandbox is a Job' },
  {
    group: 'batch',
    resource: 'jobs',
    verbs: ['list', 'watch'],
    why: 'to see that one ended, was deleted, or was left by an earlier run',
  },
  { group: 'batch', resource: 'jobs', verbs: ['delete'], why: 'to end and remove a sandbox' },
  { group: '', resource: 'pods', verbs: ['list', 'watch'], why: 'to see whether a sandbox runs, and why not' },
  { group: '', resource: 'pods', verbs: ['delete'], why: 'to remove the pod of a node that is gone, which a Job would wait for' },
  { group: '', resource: 'secrets', verbs: ['create'], why: 'each runner has a token of its own; none is ever read back' },
  { group: '', resource: 'secrets', verbs: ['patch'], why: 'a Secret is given to its Job, so that it goes with it' },
  { group: '', resource: 'secrets', verbs: ['delete', 'deletecollection'], why: 'to remove those that never got a Job' },
  { group: '', resource: 'configmaps', verbs: ['create'], why: "the runner's program is given to pods in a ConfigMap" },
  {
    group: '',
    resource: 'configmaps',
    verbs: ['list', 'delete'],
    why: 'to remove runners of earlier versions',
    isOptional: true,
  },
  { group: '', resource: 'events', verbs: ['list', 'watch'], why: 'the cluster says there why a pod waits' },
  { group: '', resource: 'resourcequotas', verbs: ['list'], why: 'to know what may still be used', isOptional: true },
  {
    group: '',
    resource: 'nodes',
    verbs: ['list'],
    why: 'to know what the cluster can give, and which images it has',
    isClusterWide: true,
    isOptional: true,
  },
  { group: '', resource: 'pods', verbs: ['list'], why: 'to know what of it is taken', isClusterWide: true, isOptional: true },
]

/** Whom the role is given to. */
const ACCOUNT = 'skein'

export interface SetupOptions {
  /** Limits of the namespace; left out where there is none. */
  readonly quota?: { readonly pods?: number; readonly cpuCores?: number; readonly memoryBytes?: number }
  /** Where pods reach this node; default: what the settings say. */
  readonly home?: { readonly address: string; readonly port: number }
}

/**
 * The objects that a cluster needs for sandboxes, in the order to apply them: a namespace that lets in only what the restricted Pod
 * Security profile allows, an account with the rights of NEEDS, and a network policy that keeps pods from everything but their home.
 */
export function renderSetup(
  { namespace, home }: Pick<KubernetesConfig, 'namespace' | 'home'>,
  { quota, home: found }: SetupOptions = {},
) {
  const labels = { 'app.kubernetes.io/managed-by': MANAGER }
  const metadata = { name: ACCOUNT, namespace, labels }
  const clusterRole = `skein-capacity-${namespace}`
  const subjects = [{ kind: 'ServiceAccount', name: ACCOUNT, namespace }]
  const roleRef = (kind: string, name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name })
  const rbac = 'rbac.authorization.k8s.io/v1'
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: {
          ...labels,
          'pod-security.kubernetes.io/enforce': 'restricted',
          'pod-security.kubernetes.io/enforce-version': 'latest',
          'pod-security.kubernetes.io/warn': 'restricted',
        },
      },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: false },
    { apiVersion: rbac, kind: 'Role', metadata, rules: rules(NEEDS.filter(({ isClusterWide }) => !isClusterWide)) },
    { apiVersion: rbac, kind: 'RoleBinding', metadata, roleRef: roleRef('Role', ACCOUNT), subjects },
    {
      apiVersion: rbac,
      kind: 'ClusterRole',
      metadata: { name: clusterRole, labels },
      rules: rules(NEEDS.filter(({ isClusterWide }) => isClusterWide)),
    },
    {
      apiVersion: rbac,
      kind: 'ClusterRoleBinding',
      metadata: { name: clusterRole, labels },
      roleRef: roleRef('ClusterRole', clusterRole),
      subjects,
    },
    ...(quota ? [quotaManifest(metadata, quota)] : []),
    networkPolicy(metadata, found ?? home),
  ]
}

const rules = (needs: readonly Need[]) => {
  const merged = new Map<string, { apiGroups: string[]; resources: string[]; verbs: string[] }>()
  for (const { group, resource, verbs } of needs) {
    const rule = merged.get(`${group}/${resource}`) ?? { apiGroups: [group], resources: [resource], verbs: [] }
    rule.verbs = [...new Set([...rule.verbs, ...verbs])]
    merged.set(`${group}/${resource}`, rule)
  }
  return [...merged.values()]
}

interface Metadata {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

function quotaManifest(metadata: Metadata, { pods, cpuCores, memoryBytes }: NonNullable<SetupOptions['quota']>) {
  const hard = {
    ...(pods === undefined ? {} : { pods: String(pods), 'count/jobs.batch': String(pods) }),
    ...(cpuCores === undefined ? {} : { 'requests.cpu': String(cpuCores) }),
    ...(memoryBytes === undefined ? {} : { 'requests.memory': String(memoryBytes) }),
  }
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard } }
}

/**
 * Nothing comes in. Out goes only what is for the home; a policy knows addresses alone, so a home with a name, or one that is found out, is held
 * to its port.
 */
function networkPolicy(metadata: Metadata, home: { readonly address: string; readonly port: number }) {
  const to = isAddress(home.address)
    ? [{ ipBlock: { cidr: `${home.address}/${home.address.includes(':') ? 128 : 32}` } }]
    : undefined
  const ports = home.port > 0 ? [{ protocol: 'TCP', port: home.port }] : undefined
  const out = { ...(to ? { to } : {}), ...(ports ? { ports } : {}) }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata,
    spec: {
      podSelector: { matchLabels: { 'app.kubernetes.io/managed-by': MANAGER } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
      egress: [out],
    },
  }
}

const isAddress = (text: string): boolean => /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) || /^[0-9a-fA-F:]+:[0-9a-fA-F:]*$/.test(text)

type SetupObject = ReturnType<typeof renderSetup>[number]

const PLACES: Readonly<Record<string, string>> = {
  Namespace: '/api/v1/namespaces',
  ServiceAccount: '/api/v1/namespaces/{ns}/serviceaccounts',
  ResourceQuota: '/api/v1/namespaces/{ns}/resourcequotas',
  Role: '/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles',
  RoleBinding: '/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  NetworkPolicy: '/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies',
}

/** Where the API server keeps an object of the setup. */
export function pathOf({ kind, metadata }: SetupObject): string {
  const { name, namespace = '' } = metadata as { name: string; namespace?: string }
  return `${(PLACES[kind] ?? '').replace('{ns}', namespace)}/${name}`
}
