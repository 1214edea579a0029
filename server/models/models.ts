import type { Clock } from '#server/lib/clock.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { ModelInfo } from '#shared/model/index.ts'
import type { ModelProvider, Models } from './port.ts'

/** Longest wait for a provider's list, and how long a list is good for; ms. */
const LIST_TIMEOUT_MS = 2_000
const LIST_FRESH_MS = 5_000

type Listed = { readonly provider: ModelProvider; readonly models: readonly ModelInfo[]; readonly reason: string | null }

/** All providers behind one name space: a model by its own name (the first provider that has it wins) or as `provider/name`. */
export function createModels({ providers, clock }: { providers: readonly ModelProvider[]; clock: Clock }): Models {
  let cached: { at: number; lists: Promise<readonly Listed[]> } | null = null

  async function listOf(provider: ModelProvider): Promise<Listed> {
    try {
      return { provider, models: await provider.list(AbortSignal.timeout(LIST_TIMEOUT_MS)), reason: null }
    } catch (error) {
      return { provider, models: [], reason: error instanceof Error ? error.message : String(error) }
    }
  }

  function lists(): Promise<readonly Listed[]> {
    const now = clock.monotonic()
    if (!cached || now - cached.at > LIST_FRESH_MS) cached = { at: now, lists: Promise.all(providers.map(listOf)) }
    return cached.lists
  }

  /** @throws {ApiError} `unknown_model` */
  async function resolve(name: string): Promise<{ provider: ModelProvider; model: string }> {
    const all = await lists()
    for (const { provider, models } of all) if (models.some(({ id }) => id === name)) return { provider, model: name }
    for (const { provider, models } of all) {
      const model = name.startsWith(`${provider.id}/`) ? name.slice(provider.id.length + 1) : null
      if (model !== null && models.some(({ id }) => id === model)) return { provider, model }
    }
    const silent = all.flatMap(({ provider, reason }) => (reason === null ? [] : [`${provider.id} (${reason})`]))
    throw new ApiError(
      'unknown_model',
      `No provider offers a model "${name}".${silent.length > 0 ? ` Not reached: ${silent.join(', ')}.` : ''}`,
      {
        remedy: '`skein models` lists what there is.',
      },
    )
  }

  return {
    async list() {
      const all = await lists()
      return {
        models: all.flatMap(({ models }) => models),
        unreachable: all.flatMap(({ provider, reason }) => (reason === null ? [] : [{ provider: provider.id, reason }])),
      }
    },
    async chat(request, call) {
      const { provider, model } = await resolve(request.model)
      return provider.chat({ ...request, model }, call)
    },
    async embed(request, call) {
      const { provider, model } = await resolve(request.model)
      return provider.embed({ ...request, model }, call)
    },
  }
}
