import type { Clock } from '#server/lib/clock.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { ModelInfo } from '#shared/model/index.ts'
import type { ModelProvider, Models } from './port.ts'

/** Longest wait for a provider's list, and how long a list is good for; ms. */
const LIST_TIMEOUT_MS = 2_000
const LIST_FRESH_MS = 5_000

interface Listing {
  readonly provider: ModelProvider
  readonly models: readonly ModelInfo[]
  /** Why there is no list. */
  readonly reason: string | null
}
interface Target {
  readonly provider: ModelProvider
  readonly model: string
}

/** All providers behind one name space: a model by its own name (the first provider that has it wins) or as `provider/name`. */
export function createModels({ providers, clock }: { providers: readonly ModelProvider[]; clock: Clock }): Models {
  let cached: { at: number; listings: Promise<readonly Listing[]> } | null = null
  /** The last list of each provider that gave one: a provider that is busy for a moment has not lost its models. */
  const known = new Map<ModelProvider, Listing>()

  for (const provider of providers) {
    provider.onChange?.(() => {
      cached = null
      known.delete(provider)
    })
  }

  async function ask(provider: ModelProvider): Promise<Listing> {
    const timeout = AbortSignal.timeout(LIST_TIMEOUT_MS)
    try {
      const listing = { provider, models: await provider.list(timeout), reason: null }
      known.set(provider, listing)
      return listing
    } catch (error) {
      if (timeout.aborted) return { provider, models: [], reason: `it did not answer within ${LIST_TIMEOUT_MS / 1000} s` }
      return { provider, models: [], reason: messageOf(error) }
    }
  }

  function listAll(): Promise<readonly Listing[]> {
    const now = clock.monotonic()
    if (!cached || now - cached.at > LIST_FRESH_MS) cached = { at: now, listings: Promise.all(providers.map(ask)) }
    return cached.listings
  }

  /** A name that is known is answered at once, while the lists are brought up to date behind it. @throws {ApiError} `unknown_model` */
  async function resolve(name: string): Promise<Target> {
    const lists = listAll()
    const target = find(
      name,
      providers.flatMap(provider => known.get(provider) ?? []),
    )
    if (target) return target
    const listings = await lists
    const found = find(name, listings)
    if (found) return found
    const silent = listings.flatMap(({ provider, reason }) => (reason === null ? [] : [`${provider.id} (${reason})`]))
    const notReached = silent.length > 0 ? ` Not reached: ${silent.join('; ')}.` : ''
    throw new ApiError('unknown_model', `No provider offers a model "${name}".${notReached}`, {
      remedy: '`skein models` lists what there is.',
    })
  }

  return {
    async list() {
      const listings = await listAll()
      return {
        models: listings.flatMap(({ models }) => models),
        unreachable: listings.flatMap(({ provider, reason }) => (reason === null ? [] : [{ provider: provider.id, reason }])),
      }
    },
    async has(name) {
      try {
        await resolve(name)
        return true
      } catch (error) {
        if (error instanceof ApiError && error.code === 'unknown_model') return false
        throw error
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

function find(name: string, listings: readonly Listing[]): Target | null {
  for (const { provider, models } of listings) {
    const model = pick(name, models)
    if (model !== null) return { provider, model }
  }
  for (const { provider, models } of listings) {
    if (!name.startsWith(`${provider.id}/`)) continue
    const model = pick(name.slice(provider.id.length + 1), models)
    if (model !== null) return { provider, model }
  }
  return null
}

/** The id a name stands for. Ollama's people leave the tag out when it is `latest`. */
function pick(name: string, models: readonly ModelInfo[]): string | null {
  return models.find(({ id }) => id === name)?.id ?? models.find(({ id }) => id === `${name}:latest`)?.id ?? null
}
