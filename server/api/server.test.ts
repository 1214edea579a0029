import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '#server/lib/clock.ts'
import { type Application, serve } from './server.ts'

async function listen(load: () => Promise<Application>) {
  const log = pino({ level: 'silent' })
  const errors = vi.spyOn(log, 'error')
  const api = serve({ load, stopping: new AbortController(), config: { host: '127.0.0.1', port: 0 }, clock: systemClock, log })
  onTestFinished(() => api.close(0))
  return { api, errors, url: (await api.listen()).url }
}

const application: Application = {
  answer: (_, outgoing) => outgoing.end('answered'),
  answerNode: (_, outgoing) => outgoing.end('answered a node'),
}

test('what answers is loaded once, by the first requests or before them', async () => {
  const load = vi.fn(async () => application)
  const { api, url } = await listen(load)
  expect(load).not.toHaveBeenCalled()
  const answers = await Promise.all([1, 2, 3].map(async () => (await fetch(url)).text()))
  await api.warm()
  expect([answers, load.mock.calls.length]).toEqual([['answered', 'answered', 'answered'], 1])
})

test('a program that is gone from the disk is told of, and a later request is not kept waiting', async () => {
  const { api, errors, url } = await listen(() => Promise.reject(new Error('ENOENT')))
  await expect(api.warm()).rejects.toThrow('ENOENT')
  for (const _ of [1, 2]) expect((await fetch(url)).status).toBe(500)
  expect(errors).toHaveBeenCalledTimes(2)
})
