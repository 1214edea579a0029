import { describe, expect, it } from 'vitest'
import type { ChatRequest } from '#shared/contract/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createModels, type ModelCall, type ModelProvider } from './index.ts'

const CALL: ModelCall = { signal: new AbortController().signal, used: () => {} }
const chat = (model: string): ChatRequest => ({ model, messages: [{ role: 'user', content: 'hi' }] })

/** A provider that has some models and says who was asked for which. */
function provider(id: string, names: string[] | Error) {
  const self = {
    id,
    names,
    lists: 0,
    async list() {
      self.lists += 1
      if (self.names instanceof Error) throw self.names
      return self.names.map(name => ({ id: name, object: 'model' as const, created: 0, owned_by: id }))
    },
    chat: async (request: ChatRequest) => Response.json(`${id}: ${request.model}`),
    embed: async (request: { model: string }) => Response.json(`${id}: ${request.model}`),
  }
  return self satisfies ModelProvider
}

function setUp(...providers: ModelProvider[]) {
  const clock = virtualClock()
  const models = createModels({ providers, clock })
  return { clock, models, ask: async (name: string) => (await models.chat(chat(name), CALL)).json() }
}

describe('the name of a model', () => {
  it('is the model’s own, of the first provider that has it, or is led by a provider’s', async () => {
    const { ask } = setUp(provider('a', ['x', 'both']), provider('b', ['y', 'both', 'org/model']), provider('org', ['model']))
    expect(await ask('x')).toBe('a: x')
    expect(await ask('y')).toBe('b: y')
    expect(await ask('both')).toBe('a: both')
    expect(await ask('b/both')).toBe('b: both')
    expect(await ask('org/model')).toBe('b: org/model')
  })

  it('may leave out Ollama’s tag "latest"', async () => {
    const { ask } = setUp(provider('ollama', ['qwen3:8b', 'qwen3:latest']))
    expect(await ask('qwen3')).toBe('ollama: qwen3:latest')
    expect(await ask('ollama/qwen3')).toBe('ollama: qwen3:latest')
    await expect(ask('qwen3:14b')).rejects.toMatchObject({ code: 'unknown_model' })
  })

  it('is told of when nobody has it, with those who could not be asked', async () => {
    const { ask } = setUp(provider('a', ['x']), provider('b', new Error('connection refused')))
    await expect(ask('z')).rejects.toThrow('No provider offers a model "z". Not reached: b (connection refused).')
  })

  it('resolves for embeddings too', async () => {
    const { models } = setUp(provider('a', ['x']))
    expect(await (await models.embed({ model: 'a/x', input: 'text' }, CALL)).json()).toBe('a: x')
  })
})

describe('the lists', () => {
  it('are asked for together, and not again for five seconds', async () => {
    const [a, b] = [provider('a', ['x']), provider('b', new Error('away'))]
    const { models, clock } = setUp(a, b)
    const { signal } = CALL
    const expected = {
      models: [expect.objectContaining({ id: 'x', owned_by: 'a' })],
      unreachable: [{ provider: 'b', reason: 'away' }],
    }
    expect(await models.list(signal)).toEqual(expected)
    clock.advance(5_000)
    expect(await models.list(signal)).toEqual(expected)
    expect([a.lists, b.lists]).toEqual([1, 1])
    clock.advance(1)
    await models.list(signal)
    expect([a.lists, b.lists]).toEqual([2, 2])
    expect(clock.waiting()).toBe(0)
  })

  it('do not hold up a name that is known, even when its provider does not answer any more', async () => {
    const a = provider('a', ['x'])
    const { ask, clock, models } = setUp(a)
    await ask('x')
    clock.advance(60_000)
    a.names = new Error('busy')
    expect(await ask('x')).toBe('a: x')
    expect((await models.list(CALL.signal)).models).toEqual([])
    expect(a.lists).toBe(2)
  })

  it('are asked for again when a name is not known', async () => {
    const a = provider('a', ['x'])
    const { ask, clock } = setUp(a)
    await ask('x')
    a.names = ['x', 'new']
    clock.advance(5_001)
    expect(await ask('new')).toBe('a: new')
  })

  it('are not waited for longer than two seconds', async () => {
    const slow: ModelProvider = {
      ...provider('slow', []),
      list: signal => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    }
    const { models } = setUp(slow, provider('a', ['x']))
    expect(await models.list(CALL.signal)).toMatchObject({
      models: [{ id: 'x' }],
      unreachable: [{ provider: 'slow', reason: 'it did not answer within 2 s' }],
    })
  })
})
