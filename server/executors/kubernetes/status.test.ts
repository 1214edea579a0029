import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Job, Pod } from './objects.ts'
import { judge, quotaCode, quotaWords } from './status.ts'

const meta = { name: 'skein-x' }
const pod = (status: object, spec: object = {}) => Pod.parse({ metadata: meta, spec, status })
const waiting = (reason: string, message?: string) =>
  pod({ phase: 'Pending', containerStatuses: [{ name: 'runner', state: { waiting: { reason, message } } }] })
const terminated = (exitCode: number, reason: string, message?: string) =>
  pod({ phase: 'Failed', containerStatuses: [{ name: 'runner', state: { terminated: { exitCode, reason, message } } }] })
const see = (seen: Pod | null, events: { reason: string; message: string }[] = [], job: Job | null = null) =>
  judge({ job, pod: seen, events })

describe('what a cluster says becomes', () => {
  test.each([
    ['ErrImageNeverPull', 'Container image "x" is not present with pull policy of Never', 'image_unavailable', true],
    ['InvalidImageName', 'Failed to apply default image tag "A B"', 'image_unavailable', true],
    ['ErrImagePull', 'rpc error: code = NotFound desc = failed to pull: x: not found', 'image_unavailable', true],
    ['ImagePullBackOff', 'Back-off pulling image "x": unauthorized: authentication required', 'image_unavailable', true],
    ['ImagePullBackOff', 'Back-off pulling image "x": dial tcp: i/o timeout', 'image_unavailable', false],
    ['ErrImagePull', 'no match for platform in manifest: not found', 'image_unavailable', true],
    ['CreateContainerConfigError', 'container has runAsNonRoot and image will run as root', 'image_unsuitable', true],
    ['CreateContainerConfigError', 'secret "x" not found', 'failed', false],
    ['RunContainerError', 'exec: "node": executable file not found in $PATH', 'image_unsuitable', true],
    ['RunContainerError', 'exec /usr/bin/node: exec format error', 'image_unsuitable', true],
    ['CreateContainerError', 'context deadline exceeded', 'failed', false],
  ])('%s (%s): %s', (reason, message, code, isFinal) => {
    const { state, failure, reason: words } = see(waiting(reason, message))
    expect(state).toBe('pending')
    expect(failure).toMatchObject({ code, isFinal })
    expect(words).toContain(message.slice(0, 30))
  })

  test('a container that was killed, and an eviction of its pod that only an event tells of yet: evicted', () => {
    const evicted = { reason: 'Evicted', message: 'The node had condition: [DiskPressure].' }
    const { failure } = see(terminated(137, 'Error'), [evicted])
    expect(failure).toMatchObject({ code: 'lost', text: 'Evicted by its node: The node had condition: [DiskPressure].' })
    expect(see(terminated(137, 'Error')).reason).toContain('was killed')
  })

  test.each([
    [terminated(137, 'OOMKilled'), 'lost', 'more memory'],
    [terminated(137, 'Error'), 'lost', 'was killed'],
    [terminated(3, 'Error', 'the home refused us'), 'lost', 'exit code 3: the home refused us'],
    [terminated(128, 'StartError', 'exec: "node": executable file not found in $PATH'), 'image_unsuitable', 'no Node.js'],
    [terminated(127, 'Error', 'sh: node: not found'), 'image_unsuitable', 'no Node.js'],
    [terminated(126, 'Error', 'node: Exec format error'), 'image_unsuitable', 'does not start'],
    [
      pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: ephemeral-storage.' }),
      'lost',
      'Evicted by its node: The',
    ],
    [pod({ phase: 'Failed', reason: 'DeadlineExceeded' }), 'failed', 'ran longer'],
    [pod({ phase: 'Failed', reason: 'NodeShutdown' }), 'lost', 'went away'],
    [pod({ phase: 'Failed', reason: 'OutOfcpu', message: 'Node did not have enough cpu' }), 'unschedulable', 'had no room'],
    [
      pod({ phase: 'Running', conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] }),
      'lost',
      'Preempted',
    ],
    [
      pod({ phase: 'Running', conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }] }),
      'lost',
      'drained',
    ],
    [pod({ phase: 'Unknown' }), 'lost', 'does not answer'],
  ])('an ended pod %#', (seen, code, words) => {
    const { state, failure } = see(seen)
    expect(state).toBe('ended')
    expect(failure).toMatchObject({ code, isFinal: true })
    expect(failure?.text).toContain(words)
  })

  test('a pod that no node has room for', () => {
    const message = '0/1 nodes are available: 1 Insufficient cpu.'
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }
    expect(see(pod({ phase: 'Pending', conditions: [condition] }))).toMatchObject({
      state: 'pending',
      reason: `No node of the cluster has room for it: ${message}`,
      failure: { code: 'unschedulable', isFinal: false },
    })
  })

  test('a quota that is used up, told by the Job alone', () => {
    const message =
      'Error creating: pods "skein-x-abcde" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=3, limited: pods=3'
    expect(see(null, [{ reason: 'FailedCreate', message }])).toMatchObject({
      state: 'pending',
      reason: 'Quota compute of the namespace is used up (requested: pods=1, used: pods=3, limited: pods=3)',
      failure: { code: 'unschedulable' },
    })
    const alone =
      'exceeded quota: compute, requested: pods=1,requests.memory=2Gi, used: pods=0,requests.memory=0, limited: pods=9,requests.memory=1Gi'
    expect(quotaCode(alone)).toBe('quota_exceeded')
    expect(quotaCode('exceeded quota: compute, requested: pods=what, used: pods=1, limited: pods=1')).toBe('unschedulable')
    expect(quotaWords('something else')).toBe('A quota is used up: something else')
  })

  test('a Job past its deadline, and one in a queue', () => {
    const conditions = [{ type: 'Failed', status: 'True', reason: 'DeadlineExceeded' }]
    expect(see(null, [], Job.parse({ metadata: meta, status: { conditions } }))).toMatchObject({
      state: 'ended',
      failure: { code: 'failed' },
    })
    expect(see(null, [], Job.parse({ metadata: meta, spec: { suspend: true } })).reason).toContain('queue')
  })

  test('where it runs, what of, and since when', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const status = {
      phase: 'Running',
      containerStatuses: [
        {
          name: 'runner',
          image: 'node:24',
          imageID: `docker.io/library/node@${digest}`,
          state: { running: { startedAt: '2026-01-02T03:04:05Z' } },
        },
      ],
    }
    expect(see(pod(status, { nodeName: 'lab' }))).toEqual({
      state: 'running',
      reason: null,
      failure: null,
      machine: 'lab',
      image: 'node:24',
      imageDigest: digest,
      startedAt: '2026-01-02T03:04:05Z',
    })
  })

  test('what it is doing while it is made', () => {
    const creating = pod(
      { phase: 'Pending', containerStatuses: [{ name: 'r', state: { waiting: { reason: 'ContainerCreating' } } }] },
      { nodeName: 'lab' },
    )
    expect(see(creating).reason).toBe('Is made on lab')
    expect(see(creating, [{ reason: 'Pulling', message: 'Pulling image "node:24"' }]).reason).toBe(
      'Pulls the image (Pulling image "node:24")',
    )
    expect(see(pod({})).reason).toBe('Waits for a node of the cluster')
    expect(see(null).reason).toBe('Waits for the cluster to make its pod')
  })
})

test('whatever a cluster says, there are words for it, and they are short', () => {
  const text = fc.string({ maxLength: 2000 })
  const state = fc.oneof(
    fc.record({ waiting: fc.record({ reason: text, message: text }) }),
    fc.record({ terminated: fc.record({ exitCode: fc.integer({ min: 1, max: 255 }), reason: text, message: text }) }),
  )
  const phase = fc.constantFrom('Pending', 'Running', 'Succeeded', 'Failed', 'Unknown', 'Whatever')
  fc.assert(
    fc.property(phase, text, text, fc.array(state, { maxLength: 2 }), (phase, reason, message, states) => {
      const containerStatuses = states.map(state => ({ name: 'r', state }))
      const seen = see(pod({ phase, reason, message, containerStatuses }), [{ reason, message }])
      expect(['pending', 'running', 'ended']).toContain(seen.state)
      expect(seen.reason?.length ?? 0).toBeLessThan(700)
    }),
  )
})
