import { dirname } from 'node:path/posix'
import { ImageReference, type IsolationLevel, type KubernetesConfig } from '#shared/model/index.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import { ANNOTATION, LABEL, labelValue, MANAGER, nodeHash, sandboxName, shortHash } from './names.ts'
import { formatBytes, formatCores } from './quantity.ts'

/** Where things are inside a pod: all below one directory, where no path of this machine that is shown can lie. */
export const INSIDE = {
  /** The runner's one file, from a ConfigMap. */
  runner: '/skein/runner/runner.mjs',
  /** What the runner is told and nobody else may know, from a Secret. */
  secret: '/skein/secret',
  /** Name of the file in it that the runner is started with. */
  token: 'token',
  /** Output that the home has not taken yet. */
  spool: '/skein/spool',
  work: '/skein/work',
  home: '/skein/home',
  tmp: '/tmp',
} as const

/** An unprivileged user who is nobody on any machine. */
const USER = 10_001
/** Longer than a pod may take to be asked, shorter than Kubernetes waits for a node that is silent. */
const SILENT_NODE_SECONDS = 60
const SANDBOX_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
/** How long what a sandbox leaves may be looked at, when this node could not remove it. */
const KEPT_SECONDS = 600

export interface ManifestInput {
  readonly nodeId: string
  readonly spec: SandboxSpec
  readonly settings: KubernetesConfig
  /** Of the ConfigMap that holds the runner. */
  readonly runnerMap: string
  /** What the container runs. */
  readonly command: readonly string[]
  readonly graceMs: number
  /** Paths that the pod has besides: directories that are empty at first, and files of ConfigMaps. */
  readonly shown?: { readonly directories: readonly string[]; readonly files: readonly { path: string; map: string }[] }
}

/** What a sandbox is called, and what is written on all that belongs to it. */
function marks({ nodeId, spec }: Pick<ManifestInput, 'nodeId' | 'spec'>) {
  const { job } = spec
  return {
    name: sandboxName(nodeId, spec.id),
    labels: {
      [LABEL.managedBy]: MANAGER,
      [LABEL.node]: nodeHash(nodeId),
      [LABEL.sandbox]: shortHash(spec.id),
      ...(job
        ? { [LABEL.job]: labelValue(job.id), [LABEL.epoch]: String(job.epoch), [LABEL.purpose]: labelValue(job.purpose) }
        : {}),
    },
    annotations: {
      [ANNOTATION.node]: nodeId,
      [ANNOTATION.sandbox]: spec.id,
      ...(job ? { [ANNOTATION.job]: job.id, [ANNOTATION.purpose]: job.purpose } : {}),
    },
  }
}

/** The image and the level a sandbox will have. @throws {SandboxError} before anything is made */
export function checkSpec(
  spec: SandboxSpec,
  settings: KubernetesConfig,
): { image: string; isolation: IsolationLevel; runtimeClass: string | undefined } {
  if (!SANDBOX_ID.test(spec.id)) throw new SandboxError('failed', `Not a sandbox id: ${JSON.stringify(spec.id)}`)
  if (spec.isolation === 'none')
    throw new SandboxError('unavailable', 'A pod is a sandbox: `sandbox: none` cannot be had on a cluster', {
      remedy: 'Use the executor `process`.',
    })
  const image = spec.image ?? settings.image
  if (!ImageReference.safeParse(image).success)
    throw new SandboxError('image_unavailable', `${JSON.stringify(image.slice(0, 100))} is no name of an image`, {
      remedy: 'Such as node:24, or registry.example/team/image:tag.',
    })
  if (spec.level !== 'vm') return { image, isolation: 'container', runtimeClass: settings.runtimeClass }
  if (settings.vmRuntimeClass === undefined)
    throw new SandboxError('unavailable', 'The job asks for isolation `vm`, and no runtime class is configured that gives it', {
      remedy: 'Install Kata Containers or the like in the cluster and set `executors.kubernetes.vmRuntimeClass`.',
    })
  return { image, isolation: 'vm', runtimeClass: settings.vmRuntimeClass }
}

/** The `batch/v1` Job of one sandbox: one pod, tried once, held to the restricted Pod Security profile. @throws {SandboxError} */
export function jobManifest(input: ManifestInput) {
  const { spec, settings, graceMs } = input
  const { name, labels, annotations } = marks(input)
  const { queue } = settings
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace: settings.namespace,
      labels: { ...labels, ...(queue === undefined ? {} : { [LABEL.queue]: queue }) },
      annotations,
    },
    spec: {
      // Trying again is the orchestrator's business: it knows epochs.
      backoffLimit: 0,
      activeDeadlineSeconds: settings.longestSeconds,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      // Kueue lets a Job in by taking this away.
      ...(queue === undefined ? {} : { suspend: true }),
      template: { metadata: { labels, annotations }, spec: podSpec(input, checkSpec(spec, settings), name, graceMs) },
    },
  }
}

/** The Secret that goes with it. */
export function secretManifest(
  input: Pick<ManifestInput, 'nodeId' | 'spec' | 'settings'>,
  content: Readonly<Record<string, string>>,
) {
  const { name, labels } = marks(input)
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: input.settings.namespace, labels },
    type: 'Opaque',
    immutable: true,
    stringData: content,
  }
}

/** Holds the runner's file for all sandboxes of this node; named by its content, so that a newer runner is another map. */
export const runnerManifest = (nodeId: string, namespace: string, runner: string) => ({
  ...mapManifest(nodeId, namespace, `runner-${shortHash(nodeId, 8)}-${shortHash(runner, 12)}`),
  data: { 'runner.mjs': runner },
})

/** The same for another file that sandboxes are shown. */
export const fileManifest = (nodeId: string, namespace: string, { hash, content }: { hash: string; content: Buffer }) => ({
  ...mapManifest(nodeId, namespace, `file-${shortHash(nodeId, 8)}-${hash}`),
  binaryData: { [FILE_KEY]: content.toString('base64') },
})
const FILE_KEY = 'file'

const mapManifest = (nodeId: string, namespace: string, name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: `skein-${name}`,
    namespace,
    labels: { [LABEL.managedBy]: MANAGER, [LABEL.node]: nodeHash(nodeId) },
    annotations: { [ANNOTATION.node]: nodeId },
  },
  immutable: true,
})

function podSpec(
  { spec, settings, runnerMap, command, shown = { directories: [], files: [] } }: ManifestInput,
  { image, runtimeClass }: ReturnType<typeof checkSpec>,
  secretName: string,
  graceMs: number,
) {
  const optional = <T>(value: T | undefined, field: string) => (value === undefined ? {} : { [field]: value })
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: Math.max(1, Math.ceil(graceMs / 1000)),
    ...optional(runtimeClass, 'runtimeClassName'),
    ...optional(settings.priorityClass, 'priorityClassName'),
    ...(Object.keys(settings.nodeSelector).length > 0 ? { nodeSelector: settings.nodeSelector } : {}),
    tolerations: [...settings.tolerations, ...silentNodes],
    imagePullSecrets: settings.imagePullSecrets.map(name => ({ name })),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'runner',
        image,
        imagePullPolicy: settings.imagePull,
        command,
        workingDir: INSIDE.work,
        env: [
          { name: 'HOME', value: INSIDE.home },
          { name: 'TMPDIR', value: INSIDE.tmp },
        ],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          privileged: false,
          capabilities: { drop: ['ALL'] },
        },
        resources: resources(spec, settings),
        volumeMounts: [
          { name: 'runner', mountPath: dirname(INSIDE.runner), readOnly: true },
          { name: 'secret', mountPath: INSIDE.secret, readOnly: true },
          { name: 'work', mountPath: INSIDE.work },
          { name: 'home', mountPath: INSIDE.home },
          { name: 'tmp', mountPath: INSIDE.tmp },
          { name: 'spool', mountPath: INSIDE.spool },
          ...shown.directories.map((path, index) => ({ name: `directory-${index}`, mountPath: path })),
          ...shown.files.map(({ path }, index) => ({
            name: `file-${index}`,
            mountPath: path,
            subPath: FILE_KEY,
            readOnly: true,
          })),
        ],
        terminationMessagePolicy: 'FallbackToLogsOnError',
      },
    ],
    volumes: [
      { name: 'runner', configMap: { name: runnerMap, defaultMode: 0o444 } },
      { name: 'secret', secret: { secretName, defaultMode: 0o440 } },
      // No limit of their own: all of them count against the container's ephemeral storage.
      ...['work', 'home', 'tmp', 'spool', ...shown.directories.map((_, index) => `directory-${index}`)].map(name => ({
        name,
        emptyDir: {},
      })),
      // Programs, not data: they may be started where they are.
      ...shown.files.map(({ map }, index) => ({ name: `file-${index}`, configMap: { name: map, defaultMode: 0o555 } })),
    ],
  }
}

/** Kubernetes gives a silent node five minutes by itself. The attempt is lost long before. */
const silentNodes = ['not-ready', 'unreachable'].map(state => ({
  key: `node.kubernetes.io/${state}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: SILENT_NODE_SECONDS,
}))

function resources({ limits, gpus = 0 }: SandboxSpec, { requests, cpuCores, gpuResource }: KubernetesConfig) {
  const gpu = gpus > 0 ? { [gpuResource]: String(gpus) } : {}
  return {
    requests: {
      cpu: formatCores(Math.min(requests.cpuCores, cpuCores)),
      memory: formatBytes(Math.min(requests.memoryBytes, limits.memoryBytes)),
      'ephemeral-storage': formatBytes(Math.min(requests.diskBytes, limits.diskBytes)),
      ...gpu,
    },
    limits: {
      cpu: formatCores(cpuCores),
      memory: formatBytes(limits.memoryBytes),
      'ephemeral-storage': formatBytes(limits.diskBytes),
      ...gpu,
    },
  }
}
