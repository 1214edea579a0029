import { expect, it } from 'vitest'
import { operationNames, operations } from '#shared/contract/index.ts'
import { createBackend } from './backend.ts'
import { READING } from './reading.ts'

it('lists what only reads, and all of it', () => {
  const reads = operationNames.filter(name => operations[name].method === 'GET' && !operations[name].path.startsWith('/v1/peer/'))
  expect([...READING].sort()).toEqual(reads.sort())
})

it('lets nothing through but reading while there is a reason against it', async () => {
  let reason: string | null = 'This workspace is not trusted.'
  const asked: unknown[] = []
  const backend = createBackend(() => reason)
  await backend.attach({
    async request(method, params) {
      if (method === 'skein/call') asked.push((params as { operation: string }).operation)
      return { state: 'ready', url: 'http://n', node: 'n', version: '1', isLocal: true, logFile: null }
    },
    onNotification: () => ({ dispose() {} }),
  })
  for (const name of operationNames.filter(name => !READING.has(name)))
    await expect(backend.call(name, {} as never)).rejects.toMatchObject({ problem: { code: 'forbidden', detail: reason } })
  expect(asked).toEqual([])
  await backend.call('listJobs', { query: {} })
  reason = null
  await backend.call('drain', { body: { draining: true } })
  expect(asked).toEqual(['listJobs', 'drain'])
})
