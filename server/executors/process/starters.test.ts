import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import type { Command } from './enclosure.ts'
import { createStarters, quote, type Started, type Starters } from './starters.ts'

let starters: Starters
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skein it's "))
  starters = createStarters({ MARK: 'waiting' })
  onTestFinished(() => {
    starters.close()
    rmSync(directory, { recursive: true })
  })
})

const command = (changes: Partial<Command>): Command => ({
  argv: [],
  before: [],
  env: {},
  inputs: [Buffer.from('options')],
  ...changes,
})

/** Starts a command once a shell waits, which the first start sees to. */
async function start(wanted: Command, stdin: 'none' | 'pipe' = 'none'): Promise<Started> {
  for (;;) {
    const started = starters.start(wanted, { cwd: directory, stdin })
    if (started) return started
    await new Promise(setImmediate)
  }
}

const output = async ({ child: { stdout, stderr } }: Started): Promise<string> => {
  if (!stdout || !stderr) throw new Error('no pipes')
  return (await Promise.all([text(stdout), text(stderr)])).join('')
}

it('becomes a command in the same process, with its words, directory, environment and inputs as they are', async () => {
  const filter = join(directory, "a 'filter'")
  writeFileSync(filter, 'filter')
  const odd = `a 'b' "c" $HOME \\ \n é; exit 3`
  const script = 'printf "%s|" "$1" "$ODD" "$MARK" "$PWD" "$$" "$(cat <&3)" "$(cat <&4)"; cat; readlink /proc/$$/fd/5'
  const started = await start(
    command({ argv: ['/bin/sh', '-c', script, 'sh', odd], env: { ODD: odd }, inputs: [Buffer.from('options'), filter] }),
  )
  const { pid } = started.child
  expect(await output(started)).toBe(`${odd}|${odd}|waiting|${directory}|${pid}|options|filter|`)
  expect(started.stdin).toBeNull()
})

it('gives the command a standard input of its own where it wants one', async () => {
  const started = await start(command({ argv: ['/bin/cat'] }), 'pipe')
  started.stdin?.end('said to it')
  expect(await output(started)).toBe('said to it')
})

it('does first what has to be done first, and nothing more where that fails', async () => {
  expect(await output(await start(command({ argv: ['/bin/sh', '-c', 'ulimit -n'], before: ['ulimit -n 64'] })))).toBe('64\n')
  const failed = await start(command({ argv: ['/bin/echo', 'too far'], before: ['false'] }))
  const closed = once(failed.child, 'close')
  expect(await output(failed)).toBe('')
  expect(await closed).toEqual([126, null])
})

it('leaves to others what no shell can become', () => {
  for (const wanted of [command({ argv: ['/bin/echo', '\0'] }), command({ inputs: [] }), command({ argv: ['x'.repeat(70_000)] })])
    expect(starters.start(wanted, { cwd: directory, stdin: 'none' })).toBeNull()
})

it('makes do without a shell that somebody ended', async () => {
  const first = await start(command({ argv: ['/bin/true'] }))
  await once(first.child, 'close')
  const second = await start(command({ argv: ['/bin/sh', '-c', 'kill -9 $$'] }))
  await once(second.child, 'close')
  expect(await output(await start(command({ argv: ['/bin/echo', 'here'] })))).toBe('here\n')
})

it('quotes any text as one word', () => {
  expect(quote("it's")).toBe(`'it'\\''s'`)
})
