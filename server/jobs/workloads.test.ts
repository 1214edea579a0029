import { expect, it } from 'vitest'
import type { Executor } from '#server/executors/index.ts'
import type { Workload } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createWorkloadHandlers } from './workloads.ts'

const call = {} as never
const workload = (id: string, jobId: string | null) => ({ id, jobId, epoch: 2 }) as unknown as Workload
const executor = (kind: string, workloads: () => Promise<Workload[]>) =>
  ({
    kind,
    probe: async () => ({ available: true, isolation: 'container', version: '5', detail: 'podman', remedy: null }),
    capacity: async () => {
      throw new Error('no answer')
    },
    workloads,
  }) as unknown as Executor
const make = (executors: Executor[], evicted: string[] = []) =>
  createWorkloadHandlers({ executors, clock: virtualClock(), store: { job: async () => null } }, (id, epoch) => {
    evicted.push(`${id} ${epoch}`)
    return id !== 'gone'
  })
const two = async () => [workload('container:b', 'one'), workload('container:a', 'two'), workload('container:c', null)]

it('pages what all executors run, in order, and says which of them did not answer', async () => {
  const silent = executor('kubernetes', () => Promise.reject(new Error('connection refused')))
  const { listWorkloads } = make([executor('container', two), silent])
  const first = await listWorkloads({ query: { limit: 2 } } as never, call)
  expect(first.body).toMatchObject({
    items: [{ id: 'container:a' }, { id: 'container:b' }],
    nextCursor: 'container:b',
    unreachable: [{ executor: 'kubernetes', reason: 'connection refused' }],
  })
  const rest = await listWorkloads({ query: { limit: 2, cursor: 'container:b' } } as never, call)
  expect(rest.body).toMatchObject({ items: [{ id: 'container:c' }], nextCursor: null })
  const ofOne = await listWorkloads({ query: { limit: 2, jobId: 'one' } } as never, call)
  expect(ofOne.body).toMatchObject({ items: [{ id: 'container:b' }] })
})

it('shows an executor whose capacity cannot be found out', async () => {
  const { listExecutors } = make([executor('container', two)])
  const { body } = await listExecutors({} as never, call)
  expect(body).toMatchObject({ items: [{ kind: 'container', levels: ['container'], capacity: null }] })
})

it('evicts a workload of a job, and nothing else', async () => {
  const evicted: string[] = []
  const { evictWorkload } = make(
    [executor('container', async () => [...(await two()), workload('container:d', 'gone')])],
    evicted,
  )
  const ask = (id: string) => evictWorkload({ params: { id } } as never, call)
  expect(await ask('container:b')).toMatchObject({ status: 202, body: { jobId: 'one' } })
  expect(evicted).toEqual(['one 2'])
  for (const id of ['container:c', 'container:d', 'nothing']) await expect(ask(id)).rejects.toMatchObject({ code: 'not_found' })
})
