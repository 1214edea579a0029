import type { ChatRequest, EmbeddingRequest } from '#shared/contract/index.ts'
import type { ModelAnswer, ModelInfo, ModelQuestion, ModelQuestionNotice } from '#shared/model/index.ts'

export interface ModelUse {
  readonly provider: string
  readonly model: string
  readonly inputTokens: number
  /** Of an answer that broke off before the provider counted: the parts of it that came, about a token each. */
  readonly outputTokens: number
  readonly durationMs: number
}

export interface ModelCall {
  readonly signal: AbortSignal
  /** Called once when the answer is complete. */
  used(use: ModelUse): void
}

/** One place models come from. Speaks OpenAI's wire format to us, whatever it speaks itself. */
export interface ModelProvider {
  readonly id: string
  /** @throws when it cannot be reached. */
  list(signal: AbortSignal): Promise<readonly ModelInfo[]>
  /** Resolves once the status is known; the body may stream. @throws {ApiError} `provider_failed` */
  chat(request: ChatRequest, call: ModelCall): Promise<Response>
  embed(request: EmbeddingRequest, call: ModelCall): Promise<Response>
  /** Of one whose models come and go: tells when they did, so that nobody goes by an old list. */
  onChange?(changed: () => void): void
}

/** Where clients that are attached offer models of theirs. */
export interface ModelOffers {
  /** Offers the models until aborted. @returns what is asked of them, as it comes; each call once, and again when nobody wants it any more */
  follow(models: readonly string[], signal: AbortSignal): AsyncGenerator<ModelQuestionNotice, void>
  /** @throws {ApiError} `not_found` of a call that is over */
  get(id: string): ModelQuestion
  /** Takes a piece of an answer, when whoever asked has room for it. @throws {ApiError} `not_found` of a call that is over */
  answer(id: string, piece: ModelAnswer): Promise<{ isWanted: boolean }>
}

/** All providers behind one name space. */
export interface Models {
  /** Models of every provider that answers; silent ones are left out and told of in `unreachable`. */
  list(
    signal: AbortSignal,
  ): Promise<{ models: readonly ModelInfo[]; unreachable: readonly { provider: string; reason: string }[] }>
  /** Whether a provider has a model of that name, as far as those that answer tell. */
  has(name: string): Promise<boolean>
  /** @throws {ApiError} `unknown_model`, `provider_failed` */
  chat(request: ChatRequest, call: ModelCall): Promise<Response>
  embed(request: EmbeddingRequest, call: ModelCall): Promise<Response>
}
