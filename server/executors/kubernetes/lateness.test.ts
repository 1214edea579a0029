import { expect, test } from 'vitest'
import { whyLate } from './lateness.ts'
import { Job, Machine, Pod } from './objects.ts'

const pod = (status: object, spec: object = {}) => Pod.parse({ metadata: { name: 'skein-x-1' }, spec, status })
const seen = (changes: object = {}) => ({
  job: Job.parse({ metadata: { name: 'skein-x' } }),
  pod: null,
  events: [],
  isJobGone: false,
  isPodGone: false,
  ...changes,
})
const machine = (name: string, status: object, spec: object = {}) => Machine.parse({ metadata: { name }, spec, status })
const READY = { type: 'Ready', status: 'True' }
const FULL = { type: 'DiskPressure', status: 'True', reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure' }
const TAINT = { key: 'node.kubernetes.io/disk-pressure', effect: 'NoSchedule' }
const warning = (reason: string, message: string) => ({ type: 'Warning', reason, message })

test('what no node takes is told with what is wrong with the nodes', () => {
  const waiting = pod({
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes are available' }],
  })
  const machines = [
    machine('full', { conditions: [READY, FULL] }, { taints: [TAINT] }),
    machine('closed', { conditions: [READY] }, { unschedulable: true }),
    machine('well', { conditions: [READY, { ...FULL, status: 'False' }] }),
  ]
  expect(whyLate({ seen: seen({ pod: waiting }), trouble: null, machines })).toEqual({
    code: 'unschedulable',
    text:
      'No node of the cluster has room for it: 0/2 nodes are available. ' +
      'Node full: DiskPressure (kubelet has disk pressure), tainted node.kubernetes.io/disk-pressure:NoSchedule; Node closed: cordoned',
  })
})

test('what a node does not get done is told with its complaints, each once, and of other nodes nothing', () => {
  const events = [
    warning('FailedMount', 'secret "x" not found'),
    { type: 'Normal', reason: 'Scheduled', message: 'assigned' },
    warning('FailedCreatePodSandBox', 'no IP addresses available'),
    warning('FailedMount', 'secret "x" not found'),
    warning('NetworkNotReady', 'cni plugin not initialized'),
  ]
  const machines = [
    machine('mine', { conditions: [{ type: 'Ready', status: 'Unknown', message: 'Kubelet stopped posting node status.' }] }),
    machine('other', { conditions: [READY, FULL] }),
  ]
  const { code, text } = whyLate({
    seen: seen({ pod: pod({}, { nodeName: 'mine' }), events }),
    trouble: 'it does not answer',
    machines,
  })
  expect(code).toBe('unschedulable')
  expect(text).toBe(
    'Its node has trouble with it (NetworkNotReady): cni plugin not initialized. ' +
      'The watch of the cluster is cut, so this may be old: it does not answer. ' +
      'The cluster complained: FailedCreatePodSandBox: no IP addresses available; FailedMount: secret "x" not found. ' +
      'Node mine: not ready (Kubelet stopped posting node status.)',
  )
})

test('a failure that is known keeps its code and what to do; nodes that may not be seen are left out', () => {
  const waiting = { reason: 'ErrImagePull', message: 'unauthorized' }
  const pulling = pod({ containerStatuses: [{ name: 'runner', state: { waiting } }] })
  const late = whyLate({ seen: seen({ pod: pulling }), trouble: null, machines: null })
  expect(late).toMatchObject({ code: 'image_unavailable', remedy: expect.stringContaining('imagePullSecrets') })
  expect(whyLate({ seen: seen({ job: null }), trouble: null, machines: null }).text).toBe('Waits for the cluster to make its pod')
})
