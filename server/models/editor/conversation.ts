import { ApiError } from '#shared/contract/index.ts'
import type { ModelAnswer, ModelPart, ModelQuestion } from '#shared/model/index.ts'
import type { Tokens } from './answer.ts'

/** Characters of an answer that wait for whoever asked. Past that the editor's next piece waits. */
const MOST_WAITING = 256 * 1024

/** One question to an editor, and its answer as it comes. */
export interface Conversation {
  readonly question: ModelQuestion
  /** To be read once. Fails with {ApiError} `provider_failed` when the editor does, and with the reason it was given up for. */
  readonly parts: AsyncIterable<ModelPart>
  /** What the editor counted, or else a token a part. */
  tokens(): Tokens
  /** @returns whether somebody waits for more */
  take(piece: ModelAnswer): Promise<boolean>
  /** Ends it, if it has not ended. */
  fail(reason: unknown): void
}

/** @param over told once, when the answer is whole, has failed, or is not wanted any more (`isWanted` is false then) */
export function converse(question: ModelQuestion, over: (isWanted: boolean) => void): Conversation {
  let isOver = false
  let count = 0
  let counted: Tokens | null = null
  let roomy = () => {}
  let controller: ReadableStreamDefaultController<ModelPart>
  const makeRoom = () => {
    const waiting = roomy
    roomy = () => {}
    waiting()
  }
  const end = (isWanted: boolean) => {
    if (isOver) return false
    isOver = true
    makeRoom()
    over(isWanted)
    return true
  }
  const stream = new ReadableStream<ModelPart>(
    {
      start(given) {
        controller = given
      },
      pull: () => makeRoom(),
      cancel: () => void end(false),
    },
    { highWaterMark: MOST_WAITING, size: part => (part.kind === 'text' ? part.text.length : JSON.stringify(part).length) + 1 },
  )

  return {
    question,
    parts: stream,
    tokens: () => counted ?? { inputTokens: 0, outputTokens: count },
    async take({ parts, end: last }) {
      if (isOver) return false
      for (const part of parts) controller.enqueue(part)
      count += parts.length
      if (last?.outcome === 'failed') {
        const failed = new ApiError('provider_failed', `The editor’s model failed: ${last.reason}`)
        if (end(true)) controller.error(failed)
      } else if (last) {
        counted = last.usage
        if (end(true)) controller.close()
      } else if ((controller.desiredSize ?? 0) <= 0)
        await new Promise<void>(resolve => {
          const others = roomy
          roomy = () => {
            others()
            resolve()
          }
        })
      return !isOver
    },
    fail(reason) {
      if (end(false)) controller.error(reason)
    },
  }
}
