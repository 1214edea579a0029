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
      return { lost: NEVER_LOST, end: async () => void told.push('end'), cleanup: async () => void told.push('clean') }
    },
  } as unknown as Executor
  const job = { id: 'job', epoch: 1, spec: { env: {}, sandbox: 'required' } } as unknown as JobRow
  {
    await using leftovers = new Lifetime()
    const { signal } = new AbortController()
    const told = { note() {}, lost() {} }
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
