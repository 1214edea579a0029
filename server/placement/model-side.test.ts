import { describe, expect, it } from 'vitest'
import { Card } from '#shared/model/index.ts'
import { infeasible } from './feasible.ts'
import { modelSide } from './model-side.ts'

describe('the side that answers the model calls of an attempt elsewhere', () => {
  it.each([
    ['worker-only', 'worker', 'worker', null, null],
    ['home-only', 'home', null, 'home', null],
    ['prefer-worker', 'worker', 'worker', 'home', null],
    ['prefer-home', 'home', 'worker', 'home', null],
  ] as const)('%s', (policy, both, workerHas, homeHas, neither) => {
    expect(modelSide({ policy, atHome: true }, true)).toBe(both)
    expect(modelSide({ policy, atHome: false }, true)).toBe(workerHas)
    expect(modelSide({ policy, atHome: true }, false)).toBe(homeHas)
    expect(modelSide({ policy, atHome: false }, false)).toBe(neither)
  })

  it('makes a job feasible on a node without its model, where its home answers', () => {
    const card = Card.parse({
      node: 'a'.repeat(26),
      name: 'a',
      seq: 1,
      version: '0',
      protocol: { min: 1, max: 1 },
      capacity: { cpuCores: 1, memoryBytes: 1, storageBytes: 1, gpuCount: 0, labels: {} },
      slots: 1,
      busy: 0,
      queued: 0,
      executors: [{ kind: 'process', isolation: 'process' }],
      agents: ['builtin'],
      models: ['small'],
      repositories: [],
      draining: false,
    })
    const where = { on: [], notOn: [], labels: {}, gpu: false, local: false }
    const job = { agent: 'builtin', executor: 'process', where, model: 'large' }
    expect(infeasible(job, card)).toBe('It has no model "large".')
    expect(infeasible({ ...job, models: { policy: 'prefer-worker', atHome: true } }, card)).toBeNull()
    expect(infeasible({ ...job, models: { policy: 'worker-only', atHome: true } }, card)).toBe('It has no model "large".')
    expect(infeasible({ ...job, model: 'small', models: { policy: 'home-only', atHome: false } }, card)).toBe(
      'Its home answers model calls alone, and has no model "small".',
    )
  })
})
