import * as z from 'zod'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

/** A DNS label: what Kubernetes calls namespaces and secrets by. */
const DnsName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, 'not a name of Kubernetes: small letters, digits, dots and dashes')
const LabelValue = z.string().regex(/^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, 'not a label value of Kubernetes')
const LabelKey = z
  .string()
  .regex(/^(?:[a-z0-9.-]{1,253}\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'not a label key of Kubernetes')

const Toleration = z.strictObject({
  key: LabelKey.optional(),
  operator: z.enum(['Exists', 'Equal']).default('Exists'),
  value: LabelValue.optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
})

/** How sandboxes are made of pods: decision 0171. */
export const KubernetesConfig = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether a cluster is looked for and used.'),
    kubeconfig: z
      .string()
      .min(1)
      .optional()
      .describe('File; default: `KUBECONFIG`, `~/.kube/config`, that of k3s or MicroK8s, or the cluster this runs in.'),
    context: z.string().min(1).optional().describe('Of the kubeconfig; default: its current one.'),
    namespace: DnsName.default('skein'),
    image: z
      .string()
      .min(1)
      .max(512)
      .default('node:24')
      .describe('What jobs run in that name no image: with Node.js 22 or later, and git.'),
    imagePull: z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent'),
    imagePullSecrets: z.array(DnsName).max(16).default([]),
    requests: z
      .strictObject({
        cpuCores: z.number().min(0.01).max(1024).default(0.5),
        memoryBytes: z
          .int()
          .min(16 * MiB)
          .default(GiB),
        diskBytes: z.int().min(MiB).default(GiB),
      })
      .prefault({})
      .describe('What the cluster sets aside for a sandbox. A limit of the job that is lower lowers it.'),
    cpuCores: z.number().min(0.01).max(1024).default(4).describe('How many processors a sandbox may use at most.'),
    priorityClass: DnsName.optional(),
    nodeSelector: z.record(LabelKey, LabelValue).default({}),
    tolerations: z.array(Toleration).max(32).default([]),
    queue: LabelValue.optional().describe('Local queue of Kueue that lets sandboxes in.'),
    runtimeClass: DnsName.optional().describe('For all sandboxes.'),
    vmRuntimeClass: DnsName.optional().describe('For jobs that ask for isolation `vm`, such as that of Kata Containers.'),
    gpuResource: z.string().max(253).default('nvidia.com/gpu').describe('What the cluster calls a graphics processor.'),
    startMs: z
      .int()
      .min(1_000)
      .default(10 * 60_000)
      .describe('How long a sandbox may take to start: scheduling, image and all.'),
    longestSeconds: z
      .int()
      .min(60)
      .default(24 * 3600)
      .describe('After this the cluster ends a sandbox by itself, whatever became of this node.'),
    home: z
      .strictObject({
        address: z
          .string()
          .min(1)
          .max(253)
          .default('auto')
          .describe('Where pods reach this node: an address or a name; `auto` finds it out.'),
        port: z
          .int()
          .min(0)
          .max(65_535)
          .default(8090)
          .describe('The network policy lets pods out to this port and no other. 0 takes any that is free.'),
      })
      .prefault({}),
  })
  .meta({ id: 'KubernetesConfig' })
export type KubernetesConfig = z.infer<typeof KubernetesConfig>
