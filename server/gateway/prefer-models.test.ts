import { describe, expect, it } from 'vitest'
import type { Models } from '#server/models/index.ts'
import type { ModelPolicy } from '#shared/model/index.ts'
import { preferModels } from './prefer-models.ts'

const info = (id: string, owner: string) => ({ id, object: 'model' as const, created: 0, owned_by: owner })
const worker: Models = {
  list: async () => ({ models: [info('w', 'ollama'), info('both', 'ollama')], unreachable: [] }),
  has: async name => ['w', 'both'].includes(name),
  chat: async () => Response.json('worker'),
  embed: async () => Response.json('worker'),
}
const home = { chat: async () => Response.json('home'), embed: async () => Response.json('home') }
const call = { signal: new AbortController().signal, used: () => {} }

describe('who answers the model calls of another node’s job', () => {
  it.each([
    ['prefer-worker', { w: 'worker', both: 'worker', h: 'home', neither: 'home' }, ['w', 'both', 'h:latest']],
    ['prefer-home', { w: 'worker', both: 'home', h: 'home', neither: 'home' }, ['both', 'h:latest', 'w']],
    ['worker-only', { w: 'worker', both: 'worker', h: 'worker', neither: 'worker' }, ['w', 'both']],
    ['home-only', { w: 'home', both: 'home', h: 'home', neither: 'home' }, ['both', 'h:latest']],
  ] as const satisfies readonly (readonly [ModelPolicy, Record<string, string>, readonly string[]])[])(
    '%s',
    async (policy, answers, listed) => {
      const models = preferModels({ policy, worker, home, atHome: ['both', 'h:latest'] })
      for (const [model, who] of Object.entries(answers)) {
        const chat = await models.chat({ model, messages: [{ role: 'user' }] }, call)
        expect([model, await chat.json()]).toEqual([model, who])
        expect(await (await models.embed({ model, input: 'x' }, call)).json()).toBe(who)
      }
      expect((await models.list(call.signal)).models.map(({ id }) => id)).toEqual(listed)
      expect(await models.has('neither')).toBe(false)
      expect(await models.has('h')).toBe(policy !== 'worker-only')
      expect(await models.has('w')).toBe(policy !== 'home-only')
    },
  )
})
