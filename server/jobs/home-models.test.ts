import { pino } from 'pino'
import { expect, it } from 'vitest'
import { createSecrets } from '#server/access/index.ts'
import { systemClock as clock } from '#server/lib/clock.ts'
import type { Models } from '#server/models/index.ts'
import type { PeerLink } from '#server/peers/index.ts'
import type { JobRow } from '#server/store/index.ts'
import { createHomeModels } from './home-models.ts'

const CHAT = { model: 'm', messages: [{ role: 'user', content: 'hello' }] }

it('goes on answering, and ends the server by nothing, while what was used cannot be stored', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  const models: Models = {
    list: async () => ({ models: [], unreachable: [] }),
    has: async () => true,
    async chat(_, { used }) {
      used({ provider: 'p', model: 'm', inputTokens: 1, outputTokens: 1, durationMs: 1 })
      return Response.json({})
    },
    embed: async () => Response.json({}),
  }
  const answered: number[] = []
  const link = {
    async modelCalls(_: unknown, { after }: { after: number }) {
      // The event loop turns, and with it whoever looks for promises that nobody holds.
      await new Promise(resolve => setImmediate(resolve))
      const isOver = answered.length === 3
      const calls = isOver || after > answered.length ? [] : [{ id: after + 1, kind: 'chat', request: CHAT, isBegun: false }]
      return { calls, gone: [], isOver }
    },
    async answerModelCall(_: unknown, id: number, { offset, body }: { offset: number; body: Uint8Array }) {
      answered.push(id)
      return { bytes: offset + body.byteLength, isOpen: true }
    },
  } as unknown as PeerLink
  const store = { append: () => Promise.reject(new Error('the disk is full')) }
  const deps = { store, models, agents: [], secrets: createSecrets(), settings: { models: 'prefer-home' }, clock }
  const homeModels = createHomeModels({ ...deps, log: pino({ level: 'silent' }) } as never)
  const job = { id: 'j', epoch: 1, spec: { agent: 'x', model: 'm' } } as unknown as JobRow
  await homeModels.answer(job, () => link, new AbortController().signal)
  process.off('unhandledRejection', note)
  expect([answered, unhandled]).toEqual([[1, 2, 3], []])
})
