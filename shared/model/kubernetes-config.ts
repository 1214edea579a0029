import * as z from 'zod'
import { section } from './section.ts'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

/** A DNS label: what Kubernetes calls namespaces and secrets by. */
const DNS_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/
const LABEL_KEY = /^(?:[a-z0-9.-]{1,253}\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/

const DEFAULTS = {
  enabled: true,
  namespace: 'skein',
  image: 'node:24',
  imagePull: 'IfNotPresent' as const,
  imagePullSecrets: [],
  requests: { cpuCores: 0.5, memoryBytes: GiB, diskBytes: GiB },
  cpuCores: 4,
  nodeSelector: {},
  tolerations: [],
  gpuResource: 'nvidia.com/gpu',
  startMs: 10 * 60_000,
  longestSeconds: 24 * 3600,
  home: { address: 'auto', port: 8090 },
}

/** How sandboxes are made of pods: decision 0171. */
export const KubernetesConfig = section(DEFAULTS, () => {
  const dnsName = z.string().regex(DNS_NAME, 'not a name of Kubernetes: small letters, digits, dots and dashes')
  const labelValue = z.string().regex(LABEL_VALUE, 'not a label value of Kubernetes')
  const labelKey = z.string().regex(LABEL_KEY, 'not a label key of Kubernetes')
  const toleration = z.strictObject({
    key: labelKey.optional(),
    operator: z.enum(['Exists', 'Equal']).default('Exists'),
    value: labelValue.optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  })
  const cores = z.number().min(0.01).max(1024)
  const { requests, home } = DEFAULTS
  return z.strictObject({
    enabled: z.boolean().default(DEFAULTS.enabled).describe('Whether a cluster is looked for and used.'),
    kubeconfig: z
      .string()
      .min(1)
      .optional()
      .describe('File; default: `KUBECONFIG`, `~/.kube/config`, that of k3s or MicroK8s, or the cluster this runs in.'),
    context: z.string().min(1).optional().describe('Of the kubeconfig; default: its current one.'),
    namespace: dnsName.default(DEFAULTS.namespace),
    image: z
      .string()
      .min(1)
      .max(512)
      .default(DEFAULTS.image)
      .describe('What jobs run in that name no image: with Node.js 22 or later, and git.'),
    imagePull: z.enum(['IfNotPresent', 'Always', 'Never']).default(DEFAULTS.imagePull),
    imagePullSecrets: z.array(dnsName).max(16).default([]),
    requests: section(requests, () =>
      z.strictObject({
        cpuCores: cores.default(requests.cpuCores),
        memoryBytes: z
          .int()
          .min(16 * MiB)
          .default(requests.memoryBytes),
        diskBytes: z.int().min(MiB).default(requests.diskBytes),
      }),
    ).describe('What the cluster sets aside for a sandbox. A limit of the job that is lower lowers it.'),
    cpuCores: cores.default(DEFAULTS.cpuCores).describe('How many processors a sandbox may use at most.'),
    priorityClass: dnsName.optional(),
    nodeSelector: z.record(labelKey, labelValue).default({}),
    tolerations: z.array(toleration).max(32).default([]),
    queue: labelValue.optional().describe('Local queue of Kueue that lets sandboxes in.'),
    runtimeClass: dnsName.optional().describe('For all sandboxes.'),
    vmRuntimeClass: dnsName.optional().describe('For jobs that ask for isolation `vm`, such as that of Kata Containers.'),
    gpuResource: z.string().max(253).default(DEFAULTS.gpuResource).describe('What the cluster calls a graphics processor.'),
    startMs: z
      .int()
      .min(1_000)
      .default(DEFAULTS.startMs)
      .describe('How long a sandbox may take to start: scheduling, image and all.'),
    longestSeconds: z
      .int()
      .min(60)
      .default(DEFAULTS.longestSeconds)
      .describe('After this the cluster ends a sandbox by itself, whatever became of this node.'),
    home: section(home, () =>
      z.strictObject({
        address: z
          .string()
          .min(1)
          .max(253)
          .default(home.address)
          .describe('Where pods reach this node: an address or a name; `auto` finds it out.'),
        port: z
          .int()
          .min(0)
          .max(65_535)
          .default(home.port)
          .describe('The network policy lets pods out to this port and no other. 0 takes any that is free.'),
      }),
    ),
  })
})
export type KubernetesConfig = z.infer<typeof KubernetesConfig>
