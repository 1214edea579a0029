import { expect, test } from 'vitest'
import { KubernetesConfig } from '#shared/model/index.ts'
import { capacityOf } from './capacity.ts'
import { Machine, Pod, Quota } from './objects.ts'

const settings = KubernetesConfig.parse({ requests: { cpuCores: 1, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 } })
const machine = (name: string, changes: { spec?: object; conditions?: object[]; allocatable?: object } = {}) =>
  Machine.parse({
    metadata: { name, labels: { disk: name } },
    spec: changes.spec,
    status: {
      allocatable: { cpu: '4', memory: '8Gi', 'ephemeral-storage': '100Gi', pods: '110', ...changes.allocatable },
      conditions: changes.conditions ?? [{ type: 'Ready', status: 'True' }],
      images: [{ names: [`localhost/of-${name}:1`] }, {}],
    },
  })
const pod = (nodeName: string, requests: object, phase = 'Running') =>
  Pod.parse({
    metadata: { name: 'p' },
    spec: { nodeName, containers: [{ name: 'c', resources: { requests } }] },
    status: { phase },
  })
const quota = (hard: object, used: object) => Quota.parse({ metadata: { name: 'compute' }, status: { hard, used } })

test('what nodes have, less what running pods asked for', () => {
  const machines = [machine('a', { allocatable: { 'nvidia.com/gpu': '2' } }), machine('b')]
  const pods = [
    pod('a', { cpu: '1500m', memory: '1Gi', 'nvidia.com/gpu': '1' }),
    pod('a', { cpu: '1' }, 'Succeeded'),
    pod('gone', { cpu: '4' }),
  ]
  expect(capacityOf({ machines, pods, quotas: [] }, settings)).toEqual({
    cpuCores: 6.5,
    memoryBytes: 15 * 2 ** 30,
    gpuCount: 1,
    places: 2 + 4,
    images: ['localhost/of-a:1', 'localhost/of-b:1'],
    full: null,
  })
})

test.each([
  [{ spec: { unschedulable: true } }, 'none of the 1 nodes'],
  [{ conditions: [{ type: 'Ready', status: 'Unknown' }] }, 'none of the 1 nodes'],
  [{ spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } }, 'none of the 1 nodes'],
  [{ allocatable: { cpu: '900m' } }, 'processors'],
  [{ allocatable: { memory: '1Mi' } }, 'memory'],
  [{ allocatable: { pods: '0' } }, 'pods'],
  [{ allocatable: { cpu: 'nonsense' } }, 'processors'],
])('a full cluster says why: %j', (changes, words) => {
  const { places, full } = capacityOf({ machines: [machine('a', changes)], pods: [], quotas: [] }, settings)
  expect(places).toBe(0)
  expect(full).toContain(words)
})

test('a taint that is tolerated and a label that is selected', () => {
  const tainted = machine('a', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } })
  const places = (config: object) =>
    capacityOf({ machines: [tainted], pods: [], quotas: [] }, KubernetesConfig.parse({ requests: settings.requests, ...config }))
      .places
  expect(places({ tolerations: [{ key: 'gpu' }] })).toBe(4)
  expect(places({ tolerations: [{ key: 'gpu', operator: 'Equal', value: 'no' }] })).toBe(0)
  expect(places({ tolerations: [{}], nodeSelector: { disk: 'b' } })).toBe(0)
})

test('no more than the quotas leave', () => {
  const machines = [machine('a')]
  const some = capacityOf({ machines, pods: [], quotas: [quota({ pods: '3', 'requests.cpu': '8' }, { pods: '1' })] }, settings)
  expect(some).toMatchObject({ places: 2, full: null })
  const none = capacityOf({ machines, pods: [], quotas: [quota({ pods: '3' }, { pods: '3' })] }, settings)
  expect(none).toMatchObject({ places: 0, full: 'quota compute of the namespace leaves no room: pods, 3 of 3' })
})

test('a cluster that does not show its nodes may still be tried', () => {
  expect(capacityOf({ machines: null, pods: null, quotas: [] }, settings)).toMatchObject({ places: 1, full: null })
  expect(capacityOf({ machines: null, pods: null, quotas: [quota({ pods: '1' }, { pods: '1' })] }, settings)).toMatchObject({
    places: 0,
  })
})
