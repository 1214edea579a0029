import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { identify, readStat } from '#server/lib/process-identity.ts'
import { childrenOf } from '../process-table.ts'
import type { Command } from './enclosure.ts'
import { createStarters, quote, type Started, type Starters } from './starters.ts'

let starters: Starters
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skein it's "))
  starters = createStarters({ directory: join(directory, 'pipes'), env: { MARK: 'ours' } })
  onTestFinished(() => {
    starters.close()
    rmSync(directory, { recursive: true })
  })
})

const command = (changes: Partial<Command>): Command => ({
  argv: [],
  before: [],
  env: {},
  options: ['an option'],
  filter: null,
  ...changes,
})

/** A command that is a line of the shell. */
const line = (text: string): Command => command({ argv: ['/bin/sh', '-c', text] })

/** Starts a command once the shell is there, which the first start sees to. */
async function start(wanted: Command): Promise<Started> {
  for (;;) {
    const started = await starters.start(wanted, directory)
    if (started) return started
    await new Promise(setImmediate)
  }
}

const output = async ({ stdout, stderr }: Started): Promise<string> => (await Promise.all([text(stdout), text(stderr)])).join('')

it('starts a command with its words, directory, environment and inputs as they are', async () => {
  const filter = join(directory, "a 'filter'")
  writeFileSync(filter, 'filter')
  const odd = `a 'b' "c" $HOME \\ %s \n é; exit 3`
  const script = 'printf "%s|" "$1" "$ODD" "$MARK" "$PWD" "$$" "$(tr "\\000" , <&3)" "$(cat <&4)"; cat'
  const started = await start(
    command({ argv: ['/bin/sh', '-c', script, 'sh', odd], env: { ODD: odd }, options: ['-x', '', odd], filter }),
  )
  const { pid } = started
  expect(await output(started)).toBe(`${odd}|${odd}|ours|${directory}|${pid}|-x,,${odd},--sync-fd,5,|filter|`)
})

it('starts all of them as children of one process, and none of ours', async () => {
  const one = await start(line('cat <&3; exec sleep 1000'))
  const other = await start(line('exec sleep 1000'))
  const parent = readStat(one.pid)?.parent ?? 0
  expect(readStat(other.pid)?.parent).toBe(parent)
  expect(readStat(parent)?.parent).toBe(process.pid)
  expect(childrenOf(process.pid)).toContain(parent)
  for (const { pid } of [one, other]) process.kill(pid, 'SIGKILL')
  expect(await one.exited).toEqual({ code: 128 + 9, signal: null })
})

it('tells of the end of one that is killed before it had begun', async () => {
  for (let round = 0; round < 50; round++) {
    const started = await start(line('exec sleep 1000'))
    process.kill(started.pid, 'SIGKILL')
    expect(await started.exited).toEqual({ code: 128 + 9, signal: null })
    expect(await output(started)).toBe('')
  }
})

it('tells of the end of one while another runs, whether or not anybody has read', async () => {
  const long = await start(line('exec sleep 1000'))
  const quick = await start(line('echo unread; exit 7'))
  expect(await quick.exited).toEqual({ code: 7, signal: null })
  process.kill(long.pid, 'SIGKILL')
  await long.exited
  expect(await output(quick)).toBe('unread\n')
})

it('lets one command after another use the same pipes, and each sees only its own', async () => {
  for (let round = 0; round < 20; round++) expect(await output(await start(line(`echo ${round}`)))).toBe(`${round}\n`)
})

it('does first what has to be done first, and nothing more where that fails', async () => {
  expect(await output(await start({ ...line('ulimit -n'), before: ['ulimit -n 64'] }))).toBe('64\n')
  const failed = await start(command({ argv: ['/bin/echo', 'too far'], before: ['false'] }))
  expect(await output(failed)).toBe('')
  expect(await failed.exited).toEqual({ code: 126, signal: null })
})

it('leaves to others what it cannot start', async () => {
  await start(line('true'))
  for (const wanted of [
    command({ argv: ['/bin/echo', '\0'] }),
    command({ options: [] }),
    command({ argv: ['x'.repeat(70_000)] }),
  ])
    expect(await starters.start(wanted, directory)).toBeNull()
})

it('leaves to others what is more than it has pipes for', async () => {
  const some: Started[] = []
  for (;;) {
    const started =
      some.length === 0 ? await start(line('exec sleep 1000')) : await starters.start(line('exec sleep 1000'), directory)
    if (started === null) break
    some.push(started)
  }
  expect(some.length).toBeGreaterThan(1)
  for (const { pid } of some) process.kill(pid, 'SIGKILL')
})

/** Ends of its pipes that this process has open. */
const openPipes = () =>
  readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(directory, 'pipes'))
    } catch {
      return false
    }
  }).length

const allClosed = async () => {
  while (openPipes() > 0) await new Promise(setImmediate)
}

it('leaves to others what it cannot open pipes for, and keeps none of them open', async () => {
  const first = await start(line('true'))
  await output(first)
  await first.exited
  for (const name of readdirSync(join(directory, 'pipes')))
    if (name.endsWith('.end')) renameSync(join(directory, 'pipes', name), join(directory, name))
  for (let round = 0; round < 20; round++) expect(await starters.start(line('true'), directory)).toBeNull()
  await allClosed()
  for (const name of readdirSync(directory))
    if (name.endsWith('.end')) renameSync(join(directory, name), join(directory, 'pipes', name))
  expect(await output(await start(line('echo again')))).toBe('again\n')
})

it('keeps no pipe open for what its shell never came to', async () => {
  const running = await start(line('exec sleep 1000'))
  const shell = readStat(running.pid)?.parent ?? 0
  process.kill(shell, 'SIGSTOP')
  const never = starters.start(line('true'), directory)
  process.kill(shell, 'SIGKILL')
  process.kill(running.pid, 'SIGKILL')
  await expect(never).rejects.toMatchObject({ code: 'failed' })
  await output(running)
  await allClosed()
})

it('ends with its shell, and has another one later', async () => {
  const running = await start(line('exec sleep 1000'))
  const shell = readStat(running.pid)?.parent ?? 0
  process.kill(shell, 'SIGKILL')
  // Bubblewrap would die with its parent.
  process.kill(running.pid, 'SIGKILL')
  expect(await running.exited).toEqual({ code: null, signal: 'SIGKILL' })
  expect(await output(await start(line('echo here')))).toBe('here\n')
})

it('leaves no shell behind when it is killed', async () => {
  const program = `
    const { createStarters } = await import(${JSON.stringify(new URL('starters.ts', import.meta.url).href)})
    const starters = createStarters({ directory: process.argv[1], env: {} })
    const command = { argv: ['/bin/sh', '-c', 'echo $PPID; exec sleep 1000'], before: [], env: {}, options: ['x'], filter: null }
    for (;;) {
      const started = await starters.start(command, '/')
      if (started) { started.stdout.pipe(process.stdout); break }
      await new Promise(setImmediate)
    }`
  const server = spawn(process.execPath, ['--input-type=module', '-e', program, join(directory, 'other')])
  const [shell = 0] = (await once(server.stdout, 'data')).map(Number)
  expect(readStat(shell)?.parent).toBe(server.pid)
  const [child = 0] = childrenOf(shell)
  server.kill('SIGKILL')
  while (identify(shell) !== null) await new Promise(setImmediate)
  // Bubblewrap dies with its parent.
  process.kill(child, 'SIGKILL')
})

it('has none any more once it is closed', async () => {
  const running = await start(line('exec sleep 1000'))
  const shell = readStat(running.pid)?.parent ?? 0
  expect(readFileSync(`/proc/${shell}/environ`, 'latin1')).toBe('MARK=ours\0')
  starters.close()
  process.kill(running.pid, 'SIGKILL')
  expect(await running.exited).toMatchObject({ signal: 'SIGKILL' })
  expect(await starters.start(line('true'), directory)).toBeNull()
})

it('quotes any text as one word', () => {
  expect(quote("it's")).toBe(`'it'\\''s'`)
})
