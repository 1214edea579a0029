import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KubernetesConfig } from '#shared/model/index.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import { checkSpec, jobManifest, runnerManifest, secretManifest } from './manifest.ts'
import { nodeSelector } from './names.ts'
import { parseQuantity } from './quantity.ts'

const settings = KubernetesConfig.parse({})
const limits = { memoryBytes: 2 ** 29, cpuSeconds: 60, processes: 100, fileBytes: 2 ** 20, diskBytes: 2 ** 34, logBytes: 2 ** 20 }
const spec: SandboxSpec = {
  id: '01J5.3.agent',
  workTree: '/x',
  scratch: '/y',
  readOnly: [],
  env: {},
  limits,
  gatewaySocket: null,
  isolation: 'sandbox',
  job: { id: '01J5', epoch: 3, purpose: 'agent' },
}
const make = (changes: Partial<SandboxSpec> = {}, config: object = {}) =>
  jobManifest({
    nodeId: 'node',
    spec: { ...spec, ...changes },
    settings: KubernetesConfig.parse(config),
    runnerMap: 'skein-runner-x',
    command: ['node', '/skein/runner/runner.mjs'],
    graceMs: 5000,
  })
const podOf = (job: ReturnType<typeof make>) => job.spec.template.spec

describe('the Job of a sandbox', () => {
  test('is tried once, ends by itself, and goes away by itself', () => {
    expect(make().spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 86_400, ttlSecondsAfterFinished: 600 })
    expect(podOf(make())).toMatchObject({ restartPolicy: 'Never', terminationGracePeriodSeconds: 5 })
  })

  test('holds to the restricted Pod Security profile and to nothing of the cluster', () => {
    const pod = podOf(make())
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    })
    expect(pod.containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      privileged: false,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod.volumes.map(volume => Object.keys(volume).at(-1))).toEqual([
      'configMap',
      'secret',
      'emptyDir',
      'emptyDir',
      'emptyDir',
      'emptyDir',
    ])
  })

  test('says whose it is, in labels that Kubernetes takes', () => {
    const job = { id: 'j'.repeat(200), epoch: 7, purpose: 'result' }
    const { metadata } = make({ job })
    expect(metadata.annotations).toMatchObject({
      'skein.dev/job-id': job.id,
      'skein.dev/sandbox-id': spec.id,
      'skein.dev/node-id': 'node',
    })
    expect(metadata.labels).toMatchObject({ 'skein.dev/epoch': '7', 'skein.dev/purpose': 'result' })
    for (const value of Object.values(metadata.labels)) expect(value.length).toBeLessThanOrEqual(63)
    for (const pair of nodeSelector('node').split(','))
      expect(Object.entries(metadata.labels).map(entry => entry.join('='))).toContain(pair)
  })

  test('asks for no more than its limits', () => {
    const { requests, limits } = podOf(make()).containers[0]?.resources ?? {}
    expect(limits).toEqual({ cpu: '4', memory: '512Mi', 'ephemeral-storage': '16Gi' })
    expect(requests).toEqual({ cpu: '500m', memory: '512Mi', 'ephemeral-storage': '1Gi' })
    expect(podOf(make({ gpus: 2 })).containers[0]?.resources.limits).toMatchObject({ 'nvidia.com/gpu': '2' })
    fc.assert(
      fc.property(fc.integer({ min: 2 ** 20, max: 2 ** 45 }), memoryBytes => {
        const { requests, limits } = podOf(make({ limits: { ...spec.limits, memoryBytes } })).containers[0]?.resources ?? {}
        return (
          parseQuantity(requests?.memory ?? '') <= parseQuantity(limits?.memory ?? '') &&
          parseQuantity(limits?.memory ?? '') === memoryBytes
        )
      }),
    )
  })

  test('carries nothing of the environment, which may be secret', () => {
    expect(JSON.stringify(make({ env: { KEY: 'planted' } }))).not.toContain('planted')
  })

  test('has what the settings say', () => {
    const config = {
      queue: 'agents',
      priorityClass: 'low',
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'gpu', effect: 'NoSchedule' }],
      imagePullSecrets: ['login'],
      imagePull: 'Never',
      runtimeClass: 'gvisor',
    }
    const job = make({}, config)
    expect(job.spec).toMatchObject({ suspend: true })
    expect(job.metadata.labels).toMatchObject({ 'kueue.x-k8s.io/queue-name': 'agents' })
    expect(podOf(job)).toMatchObject({
      priorityClassName: 'low',
      runtimeClassName: 'gvisor',
      nodeSelector: { disk: 'ssd' },
      imagePullSecrets: [{ name: 'login' }],
    })
    expect(podOf(job).tolerations[0]).toMatchObject({ key: 'gpu', operator: 'Exists' })
    expect(podOf(make()).tolerations.every(({ key }) => key?.startsWith('node.kubernetes.io/'))).toBe(true)
  })
})

describe('refused before anything is made', () => {
  const refusal = (changes: Partial<SandboxSpec>, config: object = {}) => {
    try {
      checkSpec({ ...spec, ...changes }, KubernetesConfig.parse(config))
    } catch (error) {
      if (error instanceof SandboxError) return error
    }
    throw new Error('was not refused')
  }

  test.each(['a b', 'x;rm -rf /', '$(id)', '-v', '../x', 'A'.repeat(600), 'x:tag:tag', 'node:24\n', '', 'x@sha256:abc'])(
    'image %j',
    image => {
      expect(refusal({ image }).code).toBe('image_unavailable')
    },
  )
  test.each(['node:24', 'localhost/busybox:1', 'registry.example:5000/a/b/c:v1.2', `x@sha256:${'a'.repeat(64)}`])(
    'but not image %j',
    image => {
      expect(checkSpec({ ...spec, image }, settings).image).toBe(image)
    },
  )
  test('an id that is a path', () => expect(refusal({ id: '../up' }).code).toBe('failed'))
  test('no sandbox at all', () => expect(refusal({ isolation: 'none' }).code).toBe('unavailable'))
  test('a machine of its own where no runtime class gives one', () => {
    expect(refusal({ level: 'vm' })).toMatchObject({ code: 'unavailable', remedy: expect.stringContaining('vmRuntimeClass') })
    expect(checkSpec({ ...spec, level: 'vm' }, KubernetesConfig.parse({ vmRuntimeClass: 'kata' }))).toMatchObject({
      isolation: 'vm',
      runtimeClass: 'kata',
    })
  })
})

test('a Secret is told of by its own name, a ConfigMap by its content', () => {
  const secret = secretManifest({ nodeId: 'node', spec, settings }, { token: 't' })
  expect(secret.metadata.name).toBe(make().metadata.name)
  expect(secret.immutable).toBe(true)
  const [one, same, other] = ['a', 'a', 'b'].map(text => runnerManifest('node', 'skein', text).metadata.name)
  expect(one).toBe(same)
  expect(one).not.toBe(other)
})
