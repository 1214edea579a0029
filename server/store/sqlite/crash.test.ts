import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { sqliteStore } from './index.ts'

const ROUNDS = 20

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-crash-'))
  file = join(directory, 'skein.db')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Eight callers admit and claim without end and print the id of each job whose admission was promised. */
const program = `
  const { sqliteStore } = await import('${new URL('index.ts', import.meta.url).href}')
  const { systemClock: clock } = await import('${new URL('../../lib/clock.ts', import.meta.url).href}')
  const { newJob } = await import('${new URL('../../../test/contract/job.ts', import.meta.url).href}')
  const { writeSync } = await import('node:fs')
  const [file, round] = process.argv.slice(1)
  const store = await sqliteStore({ file, clock })
  let number = 0
  const caller = async () => {
    for (;;) {
      const { job, events } = newJob(round.padStart(3, '0') + String(number++).padStart(9, '0'))
      await store.admit({ job, events, idempotency: { key: job.id, bodyHash: 'h' } })
      writeSync(1, job.id + '\\n')
      if (number % 3 === 0) await store.claim(2, job.createdAt)
    }
  }
  await Promise.all(Array.from({ length: 8 }, caller))`

/** Runs the program until it has printed some ids, kills it wherever it is, and collects all it printed. */
async function admitUntilKilled(round: number, after: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, file, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const promised: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', line => {
    promised.push(line)
    if (promised.length === after) child.kill('SIGKILL')
  })
  await Promise.all([once(lines, 'close'), once(child, 'exit')])
  return promised
}

test(`every admission that was promised is there after kill -9 (${ROUNDS} rounds)`, { timeout: 240_000 }, async () => {
  const promised: string[] = []
  for (let round = 0; round < ROUNDS; round++)
    promised.push(...(await admitUntilKilled(round, 1 + Math.floor(Math.random() * 400))))

  const store = await sqliteStore({ file, clock: virtualClock() })
  const { rows } = await store.jobs({ before: null, limit: 1_000_000 })
  const kept = new Set(rows.map(({ id }) => id))
  expect(promised.filter(id => !kept.has(id))).toEqual([])
  expect(promised.length).toBeGreaterThan(ROUNDS)
  // Whole transactions only: no event without its job, no gap.
  const events = await store.allEvents(0, 1_000_000)
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  expect(events.filter(({ n }) => n === 1)).toHaveLength(rows.length)
  const claimed = events.filter(({ body }) => body.type === 'job.state')
  expect(claimed).toHaveLength(rows.filter(({ state }) => state === 'placing').length)
  await store.close()
})
