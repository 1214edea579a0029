import { expect, it } from 'vitest'
import type { ModelAnswer, ModelPart, ModelQuestion } from '#shared/model/index.ts'
import type { Backend } from '../backend/backend.ts'
import { createAnswering, type Usage } from './answering.ts'

const ID = '6f1c2f5e-0c1b-4e0e-8f3c-1d2a3b4c5d6e'
const text = (said: string): ModelPart => ({ kind: 'text', text: said })
const call: ModelPart = { kind: 'call', id: 'c', name: 'read', input: {} }
const usage: Usage = { inputTokens: 1, outputTokens: 2 }
const question: ModelQuestion = { id: ID, model: 'v/m', messages: [], tools: [], mustUseTool: false, options: {} }

/** Answers one question with the parts that a model gives. */
function setUp(parts: (signal: AbortSignal) => AsyncIterable<ModelPart>, isWanted: (sent: number) => boolean = () => true) {
  const sent: ModelAnswer[] = []
  const idle = Promise.withResolvers<void>()
  const backend = {
    async call(operation: string, { body }: { body: ModelAnswer }) {
      if (operation === 'getModelQuestion') return question
      sent.push(body)
      return { isWanted: isWanted(sent.length) }
    },
  } as unknown as Pick<Backend, 'call'>
  const answering = createAnswering({
    backend,
    ask: async (_, signal) => ({ parts: parts(signal), usage: async () => usage }),
    idle: idle.resolve,
  })
  return { answering, sent, idle: idle.promise }
}

it('sends what a model says while it says it, texts that wait together as one, and the end', async () => {
  const { answering, sent, idle } = setUp(async function* () {
    yield text('a')
    yield text('b')
    yield call
    yield text('c')
  })
  answering.take({ id: ID, isWanted: true })
  answering.take({ id: ID, isWanted: true })
  expect(answering.isIdle).toBe(false)
  await idle
  const said = sent.flatMap(({ parts }) => parts)
  expect(said.map(part => (part.kind === 'text' ? part.text : part.name)).join('')).toBe('abreadc')
  expect(sent.at(-1)).toEqual({ parts: [], end: { outcome: 'complete', usage } })
  expect(sent.filter(({ end }) => end !== null)).toHaveLength(1)
})

it('sends a long text in pieces that the API takes', async () => {
  const long = 'x'.repeat(150_000)
  const { answering, sent, idle } = setUp(async function* () {
    yield text(long)
  })
  answering.take({ id: ID, isWanted: true })
  await idle
  const lengths = sent.map(({ parts }) => JSON.stringify(parts).length)
  expect(Math.max(...lengths)).toBeLessThan(70_000)
  expect(sent.flatMap(({ parts }) => parts.flatMap(part => ('text' in part ? part.text : []))).join('')).toBe(long)
})

it('says why a model failed', async () => {
  const { answering, sent, idle } = setUp(async function* () {
    yield text('a')
    throw new Error('The person said no.')
  })
  answering.take({ id: ID, isWanted: true })
  await idle
  expect(sent.at(-1)).toEqual({ parts: [], end: { outcome: 'failed', reason: 'The person said no.' } })
})

it.each(['the stream', 'an answer', 'the end of the offer'])('stops asking when %s says that nobody waits', async who => {
  const stopped = Promise.withResolvers<void>()
  const { answering, sent, idle } = setUp(
    async function* (signal) {
      signal.addEventListener('abort', () => stopped.resolve())
      yield text('a')
      if (who === 'the stream') answering.take({ id: ID, isWanted: false })
      if (who === 'the end of the offer') answering.dispose()
      await stopped.promise
    },
    () => who !== 'an answer',
  )
  answering.take({ id: ID, isWanted: true })
  await idle
  expect(sent.every(({ end }) => end === null)).toBe(true)
})
