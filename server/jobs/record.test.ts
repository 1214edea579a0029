import { expect, it } from 'vitest'
import { createSecrets } from '#server/access/index.ts'
import type { LogWriter } from '#server/logs/index.ts'
import type { Store } from '#server/store/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import type { EventBody } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createRecord } from './record.ts'

const MiB = 1024 * 1024

function setup({ isSlow }: { isSlow: boolean }) {
  const stored: EventBody[] = []
  const append: Store['append'] = async (_, events) => {
    stored.push(...events)
    if (isSlow) await new Promise<never>(() => {})
  }
  const record = createRecord({
    jobId: '0000000000000a',
    epoch: 1,
    writer: {} as LogWriter,
    store: { append },
    secrets: createSecrets(),
    clock: virtualClock(),
    log: createLog('silent'),
    progress: { flush() {} },
  })
  const say = (characters: number) => record.emit({ type: 'agent.message', epoch: 1, text: 'x'.repeat(characters) })
  const characters = () => stored.reduce((sum, event) => sum + JSON.stringify(event).length, 0)
  return { record, stored, say, characters }
}

it('holds few characters while the disk is slow, drops the rest, and says so', () => {
  const { record, stored, say, characters } = setup({ isSlow: true })
  for (let count = 0; count < 400; count++) say(MiB / 4)
  expect(characters()).toBeLessThan(17 * MiB)
  record.finish()
  expect(stored.at(-1)).toMatchObject({
    type: 'warning',
    code: 'events_dropped',
    detail: expect.stringMatching(/^3\d\d reports/),
  })
})

it('keeps what an agent tells up to a limit, and all that the attempt itself tells', async () => {
  const { record, stored, say, characters } = setup({ isSlow: false })
  for (let count = 0; count < 400; count++) {
    say(MiB / 4)
    await Promise.resolve()
      .then(() => {})
      .then(() => {})
  }
  expect(characters()).toBeGreaterThan(60 * MiB)
  expect(characters()).toBeLessThan(65 * MiB)
  record.emit({ type: 'check.started', epoch: 1, phase: 'result', index: 0, argv: ['true'] })
  expect(stored.at(-1)).toMatchObject({ type: 'check.started' })
  record.finish()
  expect(stored.at(-1)).toMatchObject({ code: 'events_dropped' })
})
