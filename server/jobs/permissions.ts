import type { PermissionRequest } from '#server/agents/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { EventBody, JobId, PermissionPolicy } from '#shared/model/index.ts'

/** Requests of one job that may wait for an answer at once; agents ask one after the other. */
const MAX_OPEN = 32

type By = Extract<EventBody, { type: 'permission.answered' }>['by']
interface Pending {
  readonly options: PermissionRequest['options']
  settle(optionId: string | null, by: By): void
}

/** Requests of one job; they are numbered from 1, so those that are answered need not be kept. */
interface Asked {
  count: number
  readonly open: Map<string, Pending>
}

function wasAsked({ count }: Asked, requestId: string): boolean {
  const number = /^\d+-([1-9]\d*)$/.exec(requestId)?.[1]
  return number !== undefined && Number(number) <= count
}

/** What asks, and how it is answered. */
export interface PermissionContext {
  readonly jobId: JobId
  readonly epoch: number
  readonly policy: PermissionPolicy
  readonly timeoutMs: number
  readonly signal: AbortSignal
  emit(event: EventBody): void
}

/** Permission requests of running agents that wait for an answer. */
export interface Permissions {
  /** @returns the id of the chosen option; null when nobody chose. */
  ask(request: PermissionRequest, context: PermissionContext): Promise<string | null>
  /** @throws {ApiError} `not_found` for an unknown request, `already_answered`, `invalid_request` for an unknown option. */
  answer(jobId: JobId, requestId: string, optionId: string): void
  /** The attempt is over: nothing of it is remembered. */
  forget(jobId: JobId): void
}

/** The option a policy chooses: the narrowest of its kind. */
function byPolicy(policy: PermissionPolicy, options: PermissionRequest['options']): string | null {
  const kinds = policy === 'allow' ? ['allow_once', 'allow_always'] : ['reject_once', 'reject_always']
  for (const kind of kinds) {
    const option = options.find(candidate => candidate.kind === kind)
    if (option) return option.id
  }
  return null
}

export function createPermissions({ clock }: { clock: Clock }): Permissions {
  const jobs = new Map<JobId, Asked>()

  return {
    ask(request, { jobId, epoch, policy, timeoutMs, signal, emit }) {
      // Nobody is left who would hear of it.
      if (signal.aborted) return Promise.resolve(null)
      const asked = jobs.get(jobId) ?? { count: 0, open: new Map<string, Pending>() }
      jobs.set(jobId, asked)
      if (asked.open.size >= MAX_OPEN) return Promise.resolve(byPolicy('deny', request.options))
      const requestId = `${epoch}-${++asked.count}`
      emit({
        type: 'permission.requested',
        epoch,
        requestId,
        title: request.title,
        detail: request.detail,
        options: [...request.options],
      })
      const tell = (optionId: string | null, by: By) => emit({ type: 'permission.answered', epoch, requestId, optionId, by })

      if (policy !== 'ask') {
        const optionId = byPolicy(policy, request.options)
        tell(optionId, 'policy')
        return Promise.resolve(optionId)
      }
      return new Promise(resolve => {
        const settle: Pending['settle'] = (optionId, by) => {
          cancelTimer()
          signal.removeEventListener('abort', end)
          asked.open.delete(requestId)
          tell(optionId, by)
          resolve(optionId)
        }
        const end = () => settle(null, 'end')
        const cancelTimer = clock.after(timeoutMs, () => settle(byPolicy('deny', request.options), 'timeout'))
        signal.addEventListener('abort', end, { once: true })
        asked.open.set(requestId, { options: request.options, settle })
      })
    },

    answer(jobId, requestId, optionId) {
      const asked = jobs.get(jobId)
      const request = asked?.open.get(requestId)
      if (!request && asked && wasAsked(asked, requestId))
        throw new ApiError('already_answered', `Request ${requestId} of job ${jobId} has been answered.`)
      if (!request) throw new ApiError('not_found', `Job ${jobId} has no open permission request ${requestId}.`)
      if (!request.options.some(option => option.id === optionId)) {
        const known = request.options.map(option => option.id).join(', ')
        throw new ApiError('invalid_request', `Option "${optionId}" was not offered; choose one of: ${known}`, {
          issues: [{ path: '/optionId', message: `must be one of: ${known}` }],
        })
      }
      request.settle(optionId, 'person')
    },

    forget(jobId) {
      jobs.delete(jobId)
    },
  }
}
