import type { ModelPart, ModelQuestion, ModelQuestionNotice } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { sentence } from '../backend/failure.ts'

/** Characters sent at once; a body of the API may have a multiple of them. */
const MOST_AT_ONCE = 64 * 1024
/** Longest reason that the API takes, characters. */
const LONGEST_REASON = 2000

export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
}
/** An answer of a model of this editor. */
export interface Asked {
  readonly parts: AsyncIterable<ModelPart>
  /** Asked when all parts have come; null where it cannot be counted. */
  usage(): Promise<Usage | null>
}
export interface AnsweringDeps {
  readonly backend: Pick<Backend, 'call'>
  ask(question: ModelQuestion, signal: AbortSignal): Promise<Asked>
  /** Told when nothing is answered any more. */
  idle(): void
}

/** Answers what the orchestrator asks of models of this editor, each in its own time. */
export interface Answering {
  take(notice: ModelQuestionNotice): void
  readonly isIdle: boolean
  /** Gives up what is under way. */
  dispose(): void
}

export function createAnswering({ backend, ask, idle }: AnsweringDeps): Answering {
  const running = new Map<string, AbortController>()

  async function answer(id: string, abort: AbortController): Promise<void> {
    const { signal } = abort
    const params = { id }
    try {
      const question = await backend.call('getModelQuestion', { params }, { signal })
      const { parts, usage } = await ask(question, signal)
      await inBatches(parts, async batch => {
        const { isWanted } = await backend.call('answerModelQuestion', { params, body: { parts: batch, end: null } }, { signal })
        if (!isWanted) abort.abort()
        signal.throwIfAborted()
      })
      const end = { outcome: 'complete' as const, usage: await usage() }
      await backend.call('answerModelQuestion', { params, body: { parts: [], end } }, { signal })
    } catch (error) {
      if (signal.aborted) return
      const end = { outcome: 'failed' as const, reason: sentence(error).slice(0, LONGEST_REASON) || 'No reason was given.' }
      // One that is over, or a node that is gone, needs no word of it.
      await backend.call('answerModelQuestion', { params, body: { parts: [], end } }).catch(() => {})
    } finally {
      // A model goes on talking to nobody otherwise, where its answer could not be sent.
      abort.abort()
    }
  }

  return {
    take({ id, isWanted }) {
      const known = running.get(id)
      if (!isWanted) known?.abort()
      if (!isWanted || known) return
      const abort = new AbortController()
      running.set(id, abort)
      void answer(id, abort).finally(() => {
        running.delete(id)
        if (running.size === 0) idle()
      })
    },
    get isIdle() {
      return running.size === 0
    },
    dispose() {
      for (const abort of running.values()) abort.abort()
    },
  }
}

/** Sends parts as they come: the first at once, and what comes while some are on their way together. @throws what either side throws */
async function inBatches(parts: AsyncIterable<ModelPart>, send: (batch: ModelPart[]) => Promise<void>): Promise<void> {
  const waiting: ModelPart[] = []
  let isOver = false
  let wake = () => {}
  async function read(): Promise<void> {
    try {
      for await (const part of parts) {
        append(waiting, part)
        wake()
      }
    } finally {
      isOver = true
      wake()
    }
  }
  async function write(): Promise<void> {
    while (!isOver || waiting.length > 0) {
      if (waiting.length > 0) await send(take(waiting))
      else
        await new Promise<void>(resolve => {
          wake = resolve
        })
    }
  }
  const reading = read()
  // What failed there is told once what came before is sent.
  reading.catch(() => {})
  await write()
  await reading
}

/** Texts that follow each other are one. */
function append(waiting: ModelPart[], part: ModelPart): void {
  const last = waiting.at(-1)
  if (part.kind === 'text' && last?.kind === 'text') waiting.splice(-1, 1, { kind: 'text', text: last.text + part.text })
  else waiting.push(part)
}

/** As many parts as go at once, and at least one; a long text in pieces. */
function take(waiting: ModelPart[]): ModelPart[] {
  const batch: ModelPart[] = []
  for (let room = MOST_AT_ONCE; room > 0; ) {
    const part = waiting.shift()
    if (!part) break
    if (part.kind === 'text' && part.text.length > room) waiting.unshift({ kind: 'text', text: part.text.slice(room) })
    batch.push(part.kind === 'text' ? { kind: 'text', text: part.text.slice(0, room) } : part)
    room -= part.kind === 'text' ? part.text.length : JSON.stringify(part).length
  }
  return batch
}
