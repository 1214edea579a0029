import { expect, it } from 'vitest'
import type { ExecutorCapacity } from '#shared/model/index.ts'
import { hasImage, lackOfRoom } from './room.ts'

const capacity = (change: Partial<ExecutorCapacity> = {}): ExecutorCapacity => ({
  ...{ cpuCores: 4, memoryBytes: 2 ** 33, gpuCount: 1, places: 2, images: [], full: null },
  ...change,
})

it('has room until it is full, all that fits is promised, or the GPUs are taken', () => {
  expect(lackOfRoom({}, capacity(), 1)).toBeNull()
  expect(lackOfRoom({ gpus: 1 }, capacity(), 0)).toBeNull()
  expect(lackOfRoom({}, capacity({ full: 'The quota "agents" is used up.' }), 0)).toBe('The quota "agents" is used up.')
  expect(lackOfRoom({}, capacity(), 2)).toContain('2 sandboxes')
  expect(lackOfRoom({ gpus: 2 }, capacity(), 0)).toContain('2 GPUs, and 1 are free')
})

it.each([
  ['node', 'docker.io/library/node:latest', true],
  ['node:24', 'docker.io/library/node:24', true],
  ['node:24', 'docker.io/library/node:22', false],
  ['you/tools', 'docker.io/you/tools:latest', true],
  ['localhost/tools:1', 'localhost/tools:1', true],
  ['localhost/tools:1', 'docker.io/localhost/tools:1', false],
  ['host:5000/tools', 'host:5000/tools:latest', true],
  [`node:24@sha256:${'a'.repeat(64)}`, `docker.io/library/node@sha256:${'a'.repeat(64)}`, true],
  [`node@sha256:${'a'.repeat(64)}`, `docker.io/library/node@sha256:${'b'.repeat(64)}`, false],
])('knows %s among images as %s: %s', (wanted, found, isThere) => {
  expect(hasImage(['example.org/other:1', found], wanted)).toBe(isThere)
})
