import { expect, it } from 'vitest'
import { JobSpec, type PlacementRecord, type Workload } from '#shared/model/index.ts'
import { BEGINNING, type Story } from './story.ts'
import { factsOf, type Place, useOf, waitsFor } from './where.ts'

const MIB = 1024 * 1024
const spec = JobSpec.parse({
  task: 'x',
  executor: 'container',
  image: 'node:24',
  isolation: 'container',
  gpus: 1,
  limits: { diskBytes: MIB },
})
const workload: Workload = {
  ...{ id: 'container:a', executor: 'container', jobId: 'j', epoch: 1, purpose: 'agent', state: 'running', reason: null },
  ...{ isolation: 'container', image: 'node:24', imageDigest: 'sha256:abc', machine: 'box', startedAt: null },
  ...{ cpuMs: 3_000, memoryBytes: 64 * MIB, memoryLimitBytes: 512 * MIB },
}
const place = (change: Partial<Place> = {}): Place => ({
  at: 10_000,
  workloads: [workload],
  unreachable: [],
  silent: null,
  drain: null,
  ...change,
})
const story = (change: Partial<Story>): Story => ({ ...BEGINNING, ...change })
const limits = { memoryBytes: 512 * MIB, cpuSeconds: 60, processes: 9, fileBytes: MIB, diskBytes: 2 * MIB, logBytes: MIB }

it('says where it is, how it is kept in and what it may use, and what was asked for before that is known', () => {
  const running = story({ state: 'running', executor: 'container', isolation: 'container', limits })
  expect(factsOf(running, spec, place(), 'desk')).toEqual([
    ['Node', 'desk'],
    ['Machine', 'box'],
    ['Executor', 'container'],
    ['Isolation', 'container, at least container was asked for'],
    ['Image', 'node:24 (sha256:abc)'],
    ['GPUs', '1'],
    [
      'Limits',
      '512 MiB of memory, 1 min 0 s of processor time a process, 9 processes, 2.0 MiB of disk, 1.0 MiB a file, 1.0 MiB of log',
    ],
  ])
  expect(
    factsOf(story({ node: 'box', executor: 'process', isolation: 'process' }), JobSpec.parse({ task: 'x' }), null, 'desk'),
  ).toEqual([
    ['Node', 'box'],
    ['Executor', 'process'],
    ['Isolation', 'process'],
  ])
  expect(factsOf(story({}), spec, null, 'desk')).toEqual([
    ['Executor', 'not chosen yet; container was asked for'],
    ['Image', 'node:24'],
    ['GPUs', '1'],
    ['Limits', '1.0 MiB of disk; else as its node is set'],
  ])
})

it('says which image it was once that is over, as the attempt or its result has it', () => {
  const over = story({ state: 'failed', executor: 'container', image: { name: 'node:24', digest: 'sha256:abc' } })
  expect(factsOf(over, spec, null, 'desk')).toContainEqual(['Image', 'node:24 (sha256:abc)'])
  const pulled = story({ executor: 'container', image: { name: 'node:24', digest: null } })
  expect(factsOf(pulled, spec, null, 'desk')).toContainEqual(['Image', 'node:24'])
})

it('counts processors between two looks, and says what a sandbox waits for', () => {
  expect(useOf(workload, 10_000, null)).toBe('agent, running, 3.0 s of processor time, 64.0 MiB of 512 MiB of memory')
  const earlier = place({ at: 8_000, workloads: [{ ...workload, cpuMs: 1_000 }] })
  expect(useOf(workload, 10_000, earlier)).toContain('1.0 cores busy')
  // Another sandbox, or a clock that went back, tells nothing.
  expect(useOf({ ...workload, id: 'container:b' }, 10_000, earlier)).not.toContain('busy')
  expect(useOf(workload, 8_000, earlier)).not.toContain('busy')
  const pulling: Workload = { ...workload, state: 'pending', reason: 'pulling node:24', cpuMs: null, memoryBytes: null }
  expect(useOf(pulling, 10_000, earlier)).toBe('agent, pending: pulling node:24')
  expect(waitsFor(story({ state: 'preparing' }), [], place({ workloads: [pulling, workload] }))).toEqual([
    'Its sandbox is being made: pulling node:24.',
  ])
})

it('says why a job waits, and nothing of that once it runs', () => {
  const who = { node: 'a'.repeat(26) }
  const record: PlacementRecord = {
    ...{ epoch: 1, at: '2026-01-01T00:00:00.000Z', round: 3, messages: 3, known: 4, awarded: null, outcome: null },
    filtered: [{ ...who, name: 'phone', why: 'it has no GPU' }],
    asked: [
      { ...who, name: 'desk', why: 'self', ms: 1, answer: { kind: 'no', reason: 'busy', isTransient: true, againMs: null } },
      { ...who, name: 'box', why: 'random', ms: 1, answer: { kind: 'silent', problem: 'timed out' } },
    ],
  }
  const queued = story({ state: 'queued', setback: 'Attempt 1 came back undone, and does not count: no room in the cluster' })
  const waiting = place({ workloads: [] })
  expect(waitsFor(queued, [record], waiting)).toEqual([
    'Attempt 1 came back undone, and does not count: no room in the cluster',
    'Nobody took it, in round 3.',
    'desk said no for now: busy',
    'box did not answer: timed out',
    'phone was not asked: it has no GPU',
  ])
  const drain = { draining: false, since: null, handBackAt: null, running: [], queued: 2 }
  expect(waitsFor(story({}), [], { ...waiting, drain })).toEqual(['It waits for a place: 0 attempts here now, 2 jobs waiting.'])
  expect(waitsFor(story({}), [], { ...waiting, drain: { ...drain, draining: true } })).toEqual([
    'This node is draining: it takes no more attempts.',
  ])
  // What was so before the last award is no reason any more.
  expect(waitsFor(story({}), [record, { ...record, epoch: 2, awarded: who.node }], null)).toEqual([])
  const many = { ...record, asked: [], filtered: Array.from({ length: 30 }, (_, i) => ({ ...who, name: `n${i}`, why: 'far' })) }
  expect(waitsFor(story({}), [many], null).slice(10)).toEqual(['n9 was not asked: far', '20 more said no.'])
  expect(waitsFor(story({ state: 'running' }), [record], waiting)).toEqual([])
})
