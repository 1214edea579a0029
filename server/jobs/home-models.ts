import { answerCalls } from '#server/gateway/index.ts'
import { within } from '#server/lib/within.ts'
import type { PeerLink } from '#server/peers/index.ts'
import type { JobRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type Award, type JobId, NO_USAGE, type Usage } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'
import { redactJson } from './record.ts'

/** Longest wait for the providers' lists of models, ms; names of models given to a worker. */
const LIST_MS = 500
const MOST_NAMES = 256
const EVENTS_AT_ONCE = 1000

/** This node's models, for attempts of its jobs on other nodes. Keys of providers never leave it: the calls come here. */
export interface HomeModels {
  /** What a worker is told with the work. */
  offer(): Promise<Award['models']>
  /**
   * Answers the calls of an attempt until `signal` aborts or its node is not trusted any more; then everything that was used is told
   * in events.
   */
  answer(job: JobRow, linkNow: () => PeerLink | null, signal: AbortSignal): Promise<void>
  /** What an attempt has used, here and there, by the events of the job. */
  usage(attempt: { jobId: JobId; epoch: number }): Promise<Usage>
}

export function createHomeModels(
  deps: Pick<JobDeps, 'store' | 'models' | 'agents' | 'secrets' | 'settings' | 'clock' | 'log'>,
): HomeModels {
  const { store, models, agents, secrets, settings, clock, log } = deps

  async function wantsModel({ spec }: JobRow): Promise<boolean> {
    if (settings.models === 'worker-only') return false
    if (spec.model !== undefined) return true
    // An agent that is not known here may want one.
    return (await agents.find(({ id }) => id === spec.agent)?.needs())?.model ?? true
  }

  return {
    async offer() {
      const policy = settings.models
      if (policy === 'worker-only') return { policy, atHome: [] }
      const found = await within(clock, LIST_MS, null, signal => models.list(signal))
      return { policy, atHome: found.models.map(({ id }) => id).slice(0, MOST_NAMES) }
    },
    async answer(job, linkNow, signal) {
      if (!(await wantsModel(job).catch(() => true))) return
      const attempt = { jobId: job.id, epoch: job.epoch }
      const telling = new Set<Promise<void>>()
      await answerCalls({
        source: {
          take: async (known, until) => trusted(linkNow).modelCalls(attempt, known, until),
          answer: async (call, piece, until) => trusted(linkNow).answerModelCall(attempt, call, piece, until),
        },
        models,
        used(use) {
          const event = { type: 'model.usage', epoch: job.epoch, ...use } as const
          const told = store
            .append(job.id, redactJson([event], secrets), clock.now(), { durable: false })
            .catch(error => log.error({ err: error, ...attempt }, 'Failed to store what a model call has used'))
            .finally(() => telling.delete(told))
          telling.add(told)
        },
        clock,
        log,
        signal,
      })
      await Promise.all(telling)
    },
    async usage({ jobId, epoch }) {
      let usage = NO_USAGE
      for (let after = 0; ; ) {
        const events = await store.events(jobId, after, EVENTS_AT_ONCE)
        for (const { body } of events) {
          if (body.type !== 'model.usage' || body.epoch !== epoch) continue
          usage = {
            requests: usage.requests + 1,
            inputTokens: usage.inputTokens + body.inputTokens,
            outputTokens: usage.outputTokens + body.outputTokens,
            durationMs: usage.durationMs + body.durationMs,
          }
        }
        const last = events.at(-1)
        if (!last || events.length < EVENTS_AT_ONCE) return usage
        after = last.n
      }
    },
  }
}

function trusted(linkNow: () => PeerLink | null): PeerLink {
  const link = linkNow()
  if (link) return link
  throw new ApiError('not_yours', 'The trust in the node that runs it has ended.')
}
