import { expect, test } from 'vitest'
import { KubernetesConfig } from '#shared/model/index.ts'
import { ClusterError } from './cluster-api.ts'
import { locateCluster } from './locate.ts'
import { probeCluster } from './probe.ts'
import { explain } from './refusals.ts'

const settings = KubernetesConfig.parse({})

test('no kubeconfig is no problem, and asks nobody', () => {
  const none = () => ({ kind: 'nowhere', problem: null, remedy: 'Install k3s' }) as const
  expect(locateCluster(settings, none)).toEqual({
    available: false,
    isBroken: false,
    isolation: 'none',
    version: null,
    detail: 'no kubeconfig was found',
    remedy: 'Install k3s',
  })
  const never = () => {
    throw new Error('was asked')
  }
  expect(locateCluster(KubernetesConfig.parse({ enabled: false }), never)).toMatchObject({
    detail: 'turned off in the settings',
  })
})

test('a kubeconfig that may not be read is a problem', () => {
  const shut = () => ({ kind: 'nowhere', problem: 'k3s is here, but may not be read', remedy: 'chmod' }) as const
  expect(locateCluster(settings, shut)).toMatchObject({ available: false, isBroken: true, remedy: 'chmod' })
})

test('a cluster that does not answer is said to, with what to do', async () => {
  const api = {
    said: 'context x',
    call: () =>
      Promise.reject(new ClusterError(0, 'ECONNREFUSED', 'The API server https://x does not answer: nothing listens there')),
    watch: () => Promise.reject(new Error('not asked')),
  }
  expect(await probeCluster(api, settings)).toMatchObject({
    available: false,
    detail: expect.stringContaining('nothing listens there'),
    remedy: expect.stringContaining('Start the cluster'),
  })
})

test.each([
  [new ClusterError(401, 'Unauthorized', 'expired'), 'unavailable', 'Log in anew'],
  [
    new ClusterError(403, 'Forbidden', 'jobs is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'),
    'unschedulable',
    '',
  ],
  [new ClusterError(403, 'Forbidden', 'User "x" cannot create resource "jobs"'), 'unavailable', 'setup kubernetes'],
  [new ClusterError(404, 'NotFound', 'namespaces "skein" not found'), 'unavailable', 'setup kubernetes'],
  [new ClusterError(422, 'Invalid', 'Job is invalid: spec.template'), 'failed', ''],
  [new ClusterError(500, '', 'x'.repeat(10_000)), 'failed', ''],
  [new Error('something else'), 'failed', ''],
])('%s is %s', (error, code, remedy) => {
  const explained = explain(error, 'do it')
  expect(explained.code).toBe(code)
  expect(explained.message.length).toBeLessThan(600)
  expect(explained.remedy ?? '').toContain(remedy)
})
