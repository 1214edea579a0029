import { expect, it } from 'vitest'
import { type Executor, NEVER_LOST, type SandboxSpec } from '#server/executors/index.ts'
import type { Files } from '#server/lib/files.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import type { JobRow } from '#server/store/index.ts'
import type { Workspace } from '#server/workspace/index.ts'
import type { Limits } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createPlaces } from './places.ts'

it('makes one directory for a work tree, has the sandbox make its own beside it, and removes it once nothing runs', async () => {
  const told: string[] = []
  const files = {
    makeDirectory: async (path: string) => void told.push(`make ${path}`),
    remove: async (path: string) => void told.push(`remove ${path}`),
  } as unknown as Files
  const executor = {
    async prepare({ workTree, scratch }: SandboxSpec) {
      told.push(`prepare ${workTree} ${scratch}`)
      return {
        image: null,
        lost: NEVER_LOST,
        end: async () => void told.push('end'),
        cleanup: async () => void told.push('clean'),
      }
    },
  } as unknown as Executor
  const job = { id: 'job', epoch: 1, spec: { env: {}, sandbox: 'required' } } as unknown as JobRow
  {
    await using leftovers = new Lifetime()
    const { signal } = new AbortController()
    const told = { note() {}, lost() {}, image() {} }
    const common = {
      workspace: {} as Workspace,
      limits: {} as Limits,
      files,
      executor,
      leftovers,
      signal,
      clock: virtualClock(),
      ...told,
    }
    const open = createPlaces({ job, root: '/attempts/job.1', ...common })
    const place = await open({ purpose: 'agent', commit: null, readOnly: [], env: {}, gatewaySocket: null })
    expect(place.directory).toBe('/attempts/job.1/agent')
    await place.close()
  }
  expect(told).toEqual([
    'make /attempts/job.1/agent',
    'prepare /attempts/job.1/agent /attempts/job.1/agent.scratch',
    'end',
    'clean',
    'remove /attempts/job.1/agent',
  ])
})

it('tells of an image when it is another than that of the place before', async () => {
  const [one, other] = ['1', '2'].map(digit => ({ name: 'node:24', digest: `sha256:${digit.repeat(64)}` }))
  const made = [null, one, { ...one }, other]
  const sandbox = { lost: NEVER_LOST, end: async () => {}, cleanup: async () => {} }
  const executor = { prepare: async () => ({ ...sandbox, image: made.shift() }) } as unknown as Executor
  const job = { id: 'job', epoch: 1, spec: { env: {}, sandbox: 'required' } } as unknown as JobRow
  await using leftovers = new Lifetime()
  const told: unknown[] = []
  const open = createPlaces({
    ...{ job, executor, leftovers, root: '/attempts/job.1', clock: virtualClock(), signal: new AbortController().signal },
    ...{ workspace: {} as Workspace, limits: {} as Limits },
    files: { makeDirectory: async () => {}, remove: async () => {} } as unknown as Files,
    ...{ note() {}, lost() {}, image: (image: unknown) => void told.push(image) },
  })
  for (const purpose of ['a', 'b', 'c', 'd']) {
    const place = await open({ purpose, commit: null, readOnly: [], env: {}, gatewaySocket: null })
    await place.close()
  }
  expect(told).toEqual([one, other])
})
