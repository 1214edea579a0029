import { expect } from 'vitest'
import type { JobRequest } from '#shared/model/index.ts'
import { startNode, type TestNode } from '../node.ts'
import { type Lab, PATIENT } from './lab.ts'

/** A program that says that it runs, and then waits for whatever befalls it. */
export const WAIT = 'echo ready; exec sleep 1000'

/** A node whose jobs run in pods of the lab, and how their attempts go. */
export interface Attempts extends AsyncDisposable {
  readonly node: TestNode
  submit(script: string, changes?: Partial<JobRequest>): Promise<string>
  /** Until the program of that attempt runs. */
  runs(id: string, epoch: number): Promise<void>
  podOf(id: string, epoch: number): Promise<string>
  /** Why that attempt was lost, once it is. */
  lostBy(id: string, epoch: number): Promise<string>
  cancel(id: string): Promise<void>
  /** Until nothing of any job is in the cluster. */
  nothingLeft(): Promise<void>
}

export const attemptRequest = (script: string, changes: Partial<JobRequest> = {}): JobRequest => ({
  task: 'Try',
  agent: 'command',
  argv: ['sh', '-c', script],
  executor: 'kubernetes',
  ...changes,
})

/** @param settings of the executor */
export async function openAttempts(lab: Lab, settings: Readonly<Record<string, unknown>>): Promise<Attempts> {
  const node = await startNode(flat({ 'executors.kubernetes': settings }))
  const podOf = async (id: string, epoch: number) =>
    (await lab.kubectl('get', 'pods', '-n', 'skein', '-l', `skein.dev/job=${id},skein.dev/epoch=${epoch}`, '-o', 'name')).trim()
  return {
    node,
    podOf,
    submit: async (script, changes) => (await node.client.createJob({ body: attemptRequest(script, changes) })).jobId,
    async runs(id, epoch) {
      await node.until(id, ({ body }) => body.type === 'job.state' && body.to === 'running' && body.epoch === epoch)
      await expect.poll(() => podOf(id, epoch), PATIENT).not.toBe('')
    },
    async lostBy(id, epoch) {
      const { body } = await node.until(id, ({ body }) => body.type === 'attempt.lost' && body.epoch === epoch)
      return body.type === 'attempt.lost' ? body.reason : ''
    },
    async cancel(id) {
      await node.client.cancelJob({ params: { id } })
      expect((await node.finish(id)).job.state).toBe('cancelled')
    },
    async nothingLeft() {
      await expect.poll(() => lab.kubectl('get', 'jobs,pods,secrets', '-n', 'skein', '-o', 'name'), PATIENT).toBe('')
    },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  }
}

/** Settings by dotted path, down to what is no object. */
export function flat(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([path, value]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(flat(Object.fromEntries(Object.entries(value).map(([key, inner]) => [`${path}.${key}`, inner]))))
        : [[path, value]],
    ),
  )
}
