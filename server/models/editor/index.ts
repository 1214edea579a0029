import { randomUUID } from 'node:crypto'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { ModelPart, ModelQuestion, ModelQuestionNotice } from '#shared/model/index.ts'
import type { ModelOffers, ModelProvider, ModelUse } from '../index.ts'
import { completion, completionChunks, type Told } from './answer.ts'
import { type Conversation, converse } from './conversation.ts'

const ID = 'editor'
/** Most questions that one editor has at once: each holds a conversation in memory. */
const MOST_AT_ONCE = 32

/** An editor that is attached, with what it offers. */
interface Offerer {
  readonly models: readonly string[]
  readonly open: Map<string, Conversation>
  tell(notice: ModelQuestionNotice): void
}

/**
 * Models that editors offer for as long as they are attached. What is asked of one goes to the editor that offered it last; when
 * that one leaves, its answers break off, as those of a server that ends.
 */
export function editorProvider({ clock }: { clock: Clock }): { provider: ModelProvider; offers: ModelOffers } {
  const offerers: Offerer[] = []
  const conversations = new Map<string, Conversation>()
  const listeners: (() => void)[] = []
  const changed = () => {
    for (const tell of listeners) tell()
  }

  /** @throws {ApiError} `provider_failed`, `too_many_requests` */
  function begin(asked: Omit<ModelQuestion, 'id'>, signal: AbortSignal): Conversation {
    const question = { ...asked, id: randomUUID() }
    const offerer = offerers.findLast(({ models }) => models.includes(asked.model))
    if (!offerer) throw new ApiError('provider_failed', `No editor offers ${asked.model} any more.`, { remedy: OPEN_EDITOR })
    if (offerer.open.size >= MOST_AT_ONCE)
      throw new ApiError('too_many_requests', `The editor answers ${MOST_AT_ONCE} questions already.`, { retryAfterMs: 1000 })
    const giveUp = () => conversation.fail(signal.reason)
    const conversation = converse(question, isWanted => {
      signal.removeEventListener('abort', giveUp)
      conversations.delete(question.id)
      offerer.open.delete(question.id)
      if (!isWanted) offerer.tell({ id: question.id, isWanted })
    })
    signal.throwIfAborted()
    signal.addEventListener('abort', giveUp)
    conversations.set(question.id, conversation)
    offerer.open.set(question.id, conversation)
    offerer.tell({ id: question.id, isWanted: true })
    return conversation
  }
  /** @throws {ApiError} `not_found` */
  function find(id: string): Conversation {
    const conversation = conversations.get(id)
    if (!conversation) throw new ApiError('not_found', `Model call ${id} is over.`)
    return conversation
  }

  const provider: ModelProvider = {
    id: ID,
    async list() {
      const names = new Set(offerers.toReversed().flatMap(({ models }) => models))
      return [...names].map(id => ({ id, object: 'model', created: 0, owned_by: ID }))
    },
    async chat(request, call) {
      const before = clock.monotonic()
      const { toQuestion } = await import('./question.ts')
      const conversation = begin(toQuestion(request), call.signal)
      const { parts, tokens } = conversation
      const used = () =>
        call.used({
          ...{ provider: ID, model: request.model },
          ...tokens(),
          durationMs: Math.round(clock.monotonic() - before),
        } satisfies ModelUse)
      const told: Told = { request, created: Math.floor(clock.now() / 1000), tokens }
      const counted = countedOnce(await begun(parts), used)
      if (request.stream !== true) return Response.json(await completion(counted, told))
      const headers = { 'content-type': 'text/event-stream' }
      return new Response(bodyOf(completionChunks(counted, told), conversation), { headers })
    },
    async embed({ model }) {
      throw new ApiError('unknown_model', `Editors offer no embeddings, and ${model} is a model of one.`)
    },
    onChange: tell => void listeners.push(tell),
  }
  const offers: ModelOffers = {
    async *follow(models, signal) {
      const waiting: ModelQuestionNotice[] = []
      let wake = () => {}
      const call = () => wake()
      const offerer: Offerer = {
        models,
        open: new Map(),
        tell(notice) {
          waiting.push(notice)
          wake()
        },
      }
      offerers.push(offerer)
      changed()
      signal.addEventListener('abort', call)
      try {
        while (!signal.aborted) {
          const notice = waiting.shift()
          if (notice) yield notice
          else
            await new Promise<void>(resolve => {
              wake = resolve
            })
        }
      } finally {
        signal.removeEventListener('abort', call)
        offerers.splice(offerers.indexOf(offerer), 1)
        for (const conversation of [...offerer.open.values()])
          conversation.fail(
            new ApiError('provider_failed', 'The editor that offers the model has left.', { remedy: OPEN_EDITOR }),
          )
        changed()
      }
    },
    get: id => find(id).question,
    answer: async (id, piece) => ({ isWanted: await find(id).take(piece) }),
  }
  return { provider, offers }
}

const OPEN_EDITOR = 'Models of an editor are there while it is open and offers them.'

/** A body that ends the conversation when nobody reads on, and when nobody ever began to: then no generator behind it has run. */
function bodyOf(chunks: AsyncGenerator<Uint8Array, void>, conversation: Conversation): ReadableStream<Uint8Array> {
  const source: AsyncIterable<Uint8Array, void> = {
    [Symbol.asyncIterator]: () => ({
      next: () => chunks.next(),
      async return() {
        conversation.fail(new ApiError('provider_failed', 'Nobody reads the answer.'))
        await chunks.return().catch(() => {})
        return { done: true, value: undefined }
      },
    }),
  }
  return ReadableStream.from(source)
}

/** Waits for the first part, so that a failure to start is still a status. @throws what the parts throw */
async function begun(parts: AsyncIterable<ModelPart>): Promise<AsyncIterable<ModelPart>> {
  const iterator = parts[Symbol.asyncIterator]()
  const first = await iterator.next()
  return (async function* () {
    try {
      for (let item = first; !item.done; item = await iterator.next()) yield item.value
    } finally {
      await iterator.return?.()
    }
  })()
}

/** Tells when the parts end, however they end. */
async function* countedOnce(parts: AsyncIterable<ModelPart>, used: () => void): AsyncGenerator<ModelPart, void> {
  try {
    yield* parts
  } finally {
    used()
  }
}
