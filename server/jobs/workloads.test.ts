import { expect, it } from 'vitest'
import type { Executor } from '#server/executors/index.ts'
import type { Workload } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createWorkloads, type WorkloadDeps } from './workloads.ts'

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
const nobody: Omit<WorkloadDeps, 'executors' | 'clock'> = {
  store: { job: async () => null, away: async () => null },
  fleet: alone,
}
const create = (executors: Executor[], evicted: string[] = [], world = nobody) =>
  createWorkloads({ executors, clock: virtualClock(), ...world }, (id, epoch) => {
    evicted.push(`${id} ${epoch}`)
    return id !== 'gone'
  })
const make = (...args: Parameters<typeof create>) => create(...args).handlers
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

it('asks the node that has the attempt what it takes there, and says why where it does not tell', async () => {
  const asked: string[] = []
  let answer: () => Promise<unknown> = async () => [{ id: 'process:1', memoryBytes: 7 }]
  const link = {
    places: ({ jobId, epoch }: { jobId: string; epoch: number }) => {
      asked.push(`${jobId} ${epoch}`)
      return answer()
    },
  }
  const job = { id: 'one', epoch: 3, state: 'running' }
  const world = {
    store: { job: async () => job, away: async () => ({ worker: 'desk' }) },
    fleet: { ...alone, link: () => link },
  } as unknown as typeof nobody
  const look = async (jobId?: string) =>
    (await make([], [], world).listWorkloads({ query: { limit: 2, jobId } } as never, call)).body.elsewhere
  expect(await look('one')).toEqual({
    node: 'desk',
    items: [{ id: 'process:1', memoryBytes: 7, jobId: 'one', epoch: 3 }],
    problem: null,
  })
  answer = () => Promise.reject(new Error('desk does not answer.'))
  expect(await look('one')).toEqual({ node: 'desk', items: [], problem: 'desk does not answer.' })
  expect(await look()).toBeNull()
  job.state = 'queued'
  expect(await look('one')).toBeNull()
  expect(asked).toEqual(['one 3', 'one 3'])
})

it('tells a home of the sandboxes of its attempt alone, and asks executors once for all who look', async () => {
  let looks = 0
  const many = executor('container', async () => {
    looks += 1
    return [workload('container:a', 'one'), { ...workload('container:b', 'one'), epoch: 1 }, workload('container:c', 'two')]
  })
  const { placesOf } = create([many])
  const [first] = await Promise.all([placesOf('one', 2), placesOf('one', 1)])
  expect(first.map(({ id }) => id)).toEqual(['container:a'])
  expect(first[0]).not.toHaveProperty('jobId')
  expect(looks).toBe(1)
})
