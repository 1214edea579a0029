import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import type { Enclosure } from './enclosure.ts'
import { run } from './running.ts'
import { createStarters } from './starters.ts'

const enclosure = { sweep: () => {} } as unknown as Enclosure

it('keeps the output of a program that is over before anybody reads', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skein-running-'))
  const starters = createStarters({ directory, env: {} })
  onTestFinished(() => {
    starters.close()
    rmSync(directory, { recursive: true })
  })
  const program = await run(
    { argv: ['/bin/sh', '-c', 'echo out; echo err >&2'], env: {}, before: [], options: [], filter: null },
    {
      mark: 'm',
      cwd: '/',
      stdin: 'none',
      enclosure,
      starters,
      verdict: exit => exit,
    },
  )
  await program.ended
  // Node drops unread output some ticks after the exit.
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  expect([await text(program.stdout), await text(program.stderr)]).toEqual(['out\n', 'err\n'])
  expect(await program.wait()).toEqual({ reason: 'exit', code: 0 })
})
