import type { Models } from '#server/models/index.ts'
import type { ModelInfo, ModelPolicy } from '#shared/model/index.ts'
import type { CallQueue } from './call-queue.ts'

/** What an attempt of another node's job may ask, by what its home says. */
export function preferModels(input: {
  policy: ModelPolicy
  /** This node's own, as far as others may use them. */
  worker: Models
  /** The home's, and their names. */
  home: CallQueue['home']
  atHome: readonly string[]
}): Models {
  const { policy, worker, home, atHome } = input
  const theirs = atHome.map((id): ModelInfo => ({ id, object: 'model', created: 0, owned_by: 'home' }))

  async function chosen(name: string): Promise<Pick<Models, 'chat' | 'embed'>> {
    switch (policy) {
      case 'worker-only':
        return worker
      case 'home-only':
        return home
      case 'prefer-worker':
        return (await worker.has(name)) ? worker : home
      case 'prefer-home':
        return isAmong(atHome, name) || !(await worker.has(name)) ? home : worker
    }
  }

  return {
    async list(signal) {
      if (policy === 'home-only') return { models: theirs, unreachable: [] }
      const own = await worker.list(signal)
      if (policy === 'worker-only') return own
      const [first, second] = policy === 'prefer-worker' ? [own.models, theirs] : [theirs, own.models]
      const known = new Set(first.map(({ id }) => id))
      return { models: [...first, ...second.filter(({ id }) => !known.has(id))], unreachable: own.unreachable }
    },
    async has(name) {
      const [mayHome, mayWorker] = [policy !== 'worker-only', policy !== 'home-only']
      return (mayHome && isAmong(atHome, name)) || (mayWorker && (await worker.has(name)))
    },
    chat: async (request, call) => (await chosen(request.model)).chat(request, call),
    embed: async (request, call) => (await chosen(request.model)).embed(request, call),
  }
}

/** Ollama's people leave the tag out when it is `latest`. */
const isAmong = (names: readonly string[], name: string): boolean => names.includes(name) || names.includes(`${name}:latest`)
