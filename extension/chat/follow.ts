import type { JobEvent, JobId } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { BackendError } from '../backend/failure.ts'

/**
 * Hears every event of a job from its first, over restarts of the server, until the job is over or nobody wants to hear more.
 * @param signal ends the listening, not the job
 * @returns whether the job is over
 * @throws {BackendError} when it cannot be heard of
 */
export function followJob(
  backend: Pick<Backend, 'follow'>,
  jobId: JobId,
  take: (event: JobEvent) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const following = backend.follow({ name: 'job', jobId }, 0, ({ item }) => {
    if (item.type === 'event') take(item.event)
    if (item.type === 'end') resolve(true)
    if (item.type === 'error') reject(new BackendError(item.problem, { isAnswer: true }))
  })
  const leave = () => resolve(false)
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  return promise.finally(() => {
    signal.removeEventListener('abort', leave)
    following.dispose()
  })
}
