import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeRepository, type TestRepository } from './node.ts'

const PROGRAM = resolve(import.meta.dirname, '../../cli/main.ts')
const JOB_ID = /^[0-9a-z]{14}$/

interface Running {
  readonly child: ChildProcess
  /** Fulfils once the pattern stands in what was printed on either stream. */
  until(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<Ended>
}
interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

let home: string
let server: Running
let repository: TestRepository

/** Starts `skein` as a person would, with nothing of this machine's own settings. */
function start(args: readonly string[], options: { cwd?: string; env?: Record<string, string>; dataDir?: string } = {}): Running {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: options.cwd ?? repository.path,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      SKEIN_DATA_DIR: options.dataDir ?? join(home, 'data'),
      OLLAMA_HOST: 'http://127.0.0.1:9',
      SKEIN_TAILSCALE_SOCKET: 'off',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
    child.emit('printed')
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
    child.emit('printed')
  })
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, stdout, stderr }))
  return {
    child,
    ended,
    async until(pattern) {
      let over = false
      void ended.then(() => {
        over = true
        child.emit('printed')
      })
      for (;;) {
        const found = pattern.exec(stdout + stderr)
        if (found) return found
        if (over) throw new Error(`ended without ${pattern}: ${stdout}${stderr}`)
        await once(child, 'printed')
      }
    },
  }
}

const skein = (...args: string[]): Promise<Ended> => start(args).ended

/** Runs a shell script as a job, without a sandbox: what is tested here is the command line. */
const job = (script: string, ...options: string[]): Promise<Ended> =>
  skein('run', '--no-sandbox', ...options, '--', 'sh', '-c', script)

/** Runs it to its end and gives its id. */
async function jobId(script: string, ...options: string[]): Promise<string> {
  const { stdout } = await job(script, '--json', ...options)
  return (JSON.parse(stdout.split('\n', 1)[0] ?? '') as { jobId: string }).jobId
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'skein-cli-'))
  repository = makeRepository({ 'a.txt': 'one\n', 'b.txt': 'b\n' })
  server = start(['serve', '--port', '0', '--json', '--log-level', 'warn'])
  const [ready] = await server.until(/\{.*\}/)
  expect(JSON.parse(ready)).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), pid: server.child.pid })
})

afterAll(async () => {
  server.child.kill('SIGTERM')
  const { code, stderr } = await server.ended
  repository[Symbol.dispose]()
  rmSync(home, { recursive: true })
  // Everything above happened without a warning or an error on the server's side.
  expect([code, stderr]).toEqual([0, ''])
})

describe('run', () => {
  test('shows the log, the checks and the summary, and succeeds when the job does', async () => {
    const { code, stdout, stderr } = await job('echo hello; echo two >> a.txt', '--check', 'grep -q two a.txt')
    expect([code, stdout.includes('hello\n')]).toEqual([0, true])
    expect(stderr).toMatch(/^job [0-9a-z]{14} on HEAD; Ctrl-C detaches$/m)
    expect(stderr).toContain('✓ grep -q two a.txt')
    expect(stderr).toContain('red before, green after')
    expect(stderr).toMatch(/changes {3}1 file, \+1 −0/)
    expect(stderr).toMatch(/apply {5}skein apply [0-9a-z]{14}/)
    // Nothing is written to the work tree without a yes.
    expect(repository.git('status', '--porcelain')).toBe('')
    expect(stdout + stderr).not.toContain('\u001B')
  })

  test('fails when the job does, with what the program exited with', async () => {
    const { code, stderr } = await job('exit 3')
    expect(code).toBe(1)
    expect(stderr).toContain('✗ failed')
    expect(stderr).toMatch(/exited with code 3/)
  })

  test('fails when a check is red', async () => {
    const { code, stderr } = await job('true', '--check', 'false')
    expect(code).toBe(1)
    expect(stderr).toContain('✗ false')
  })

  test('as JSON: one document a line, from acceptance to the finished job', async () => {
    const { code, stdout } = await job('echo hello', '--json')
    const lines = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(code).toBe(0)
    expect(lines[0]).toEqual({ type: 'accepted', jobId: expect.stringMatching(JOB_ID) })
    expect(lines.at(-1)).toMatchObject({ type: 'job', job: { state: 'succeeded' } })
    const log = lines.filter(({ type }) => type === 'log').map(({ base64 }) => Buffer.from(base64, 'base64').toString())
    expect(log.join('')).toContain('hello')
    const numbers = lines.filter(({ type }) => type === 'event').map(({ event }) => event.n)
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
  })

  test('hostile output cannot act on the terminal, and is passed on whole to who asks for it', async () => {
    const script = String.raw`printf 'a\033]0;owned\007b\033[2Jc\n'`
    const { stdout } = await job(script)
    expect(stdout).toContain('abc\n')
    expect(stdout).not.toContain('\u001B')
    const id = await jobId(script)
    expect((await skein('logs', id, '--raw')).stdout).toContain('a\u001B]0;owned\u0007b\u001B[2Jc\n')
  })

  test('uncommitted changes are part of it when asked for', async () => {
    using dirty = makeRepository({ 'a.txt': 'one\n' })
    dirty.write('a.txt', 'changed\n')
    const run = (...options: string[]) =>
      start(['run', '--no-sandbox', ...options, '--', 'cat', 'a.txt'], { cwd: dirty.path }).ended
    expect((await run()).stdout).toContain('one\n')
    expect((await run('--changes')).stdout).toContain('changed\n')
    expect((await run('--head')).stdout).toContain('one\n')
  })

  test('--detach prints the id and goes; logs -f waits for the end', async () => {
    const { code, stdout } = await job('sleep 0.2; echo done', '--detach')
    expect([code, stdout.trim()]).toEqual([0, expect.stringMatching(JOB_ID)])
    const followed = await skein('logs', '-f', stdout.trim())
    expect([followed.code, followed.stdout.includes('done\n')]).toEqual([0, true])
  })

  test('--apply puts the result into the work tree', async () => {
    using own = makeRepository({ 'a.txt': 'one\n' })
    const args = ['run', '--no-sandbox', '--apply', '--', 'sh', '-c', 'echo two >> a.txt']
    expect((await start(args, { cwd: own.path }).ended).code).toBe(0)
    expect(readFileSync(join(own.path, 'a.txt'), 'utf8')).toBe('one\ntwo\n')
    // A job that succeeds without changes has nothing to apply, which is no failure.
    expect((await start(['run', '--no-sandbox', '--apply', '--', 'true'], { cwd: own.path }).ended).code).toBe(0)
  })

  test.each<[what: string, args: string[], code: number, says: RegExp]>([
    ['nothing to do', ['run'], 2, /Say what to do/],
    ['an unknown option', ['run', '--chekc', 'x', 'task'], 2, /--check/],
    ['an unknown command', ['rnu'], 2, /run/],
    ['a wrong duration', ['run', '--timeout', '5', 'x'], 2, /--timeout takes a duration/],
    ['a wrong pair', ['run', '--env', 'X', 'x'], 2, /--env takes NAME=VALUE/],
    ['both scopes', ['run', '--head', '--changes', 'x'], 2, /exclude each other/],
    ['a wrong priority', ['run', '--priority', '1000', 'x'], 2, /from -100 to 100/],
    ['an unknown agent', ['run', '--agent', 'nobody', 'x'], 1, /nobody/],
    ['a name the API does not take', ['run', '--env', '1X=1', '--', 'true'], 1, /\/env/],
  ])('%s is told', async (_, args, code, says) => {
    const ended = await skein(...args)
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(says)])
  })

  test('outside a repository it says what to do', async () => {
    const outside = (...args: string[]) => start(['run', '--no-sandbox', ...args, '--', 'pwd'], { cwd: home }).ended
    expect(await outside()).toMatchObject({ code: 2, stderr: expect.stringContaining('--no-repo') })
    expect((await outside('--no-repo')).code).toBe(0)
  })
})

describe('Ctrl-C', () => {
  test('once: detaches, says how to come back, and the job goes on', async () => {
    const running = start(['run', '--no-sandbox', '--', 'sh', '-c', 'echo started; sleep 0.5; echo finished'])
    await running.until(/^started/m)
    running.child.kill('SIGINT')
    const [, id = ''] = await running.until(/skein logs -f ([0-9a-z]{14})/)
    expect((await running.ended).code).toBe(75)
    expect((await skein('logs', '-f', id)).stdout).toContain('finished\n')
  })

  test('twice: cancels, and waits for the end', async () => {
    const running = start(['run', '--no-sandbox', '--', 'sh', '-c', 'echo started; sleep 600'])
    await running.until(/^started/m)
    running.child.kill('SIGINT')
    await running.until(/Press Ctrl-C again/)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.ended
    expect([code, stderr]).toEqual([130, expect.stringContaining('– cancelled')])
  })
})

describe('a job that has ended', () => {
  let id: string
  beforeAll(async () => {
    id = await jobId('echo two >> a.txt; mv b.txt c.txt; echo logged')
  })

  test('jobs lists it, and its ends name it', async () => {
    expect((await skein('jobs')).stdout).toMatch(new RegExp(`^${id} +✓ succeeded +command`, 'm'))
    const listed = JSON.parse((await skein('jobs', '--json', '-n', '1')).stdout)
    expect(listed).toMatchObject({ items: [{ id, state: 'succeeded' }], nextCursor: expect.any(String) })
    expect(JSON.parse((await skein('jobs', '--json', '--active')).stdout).items).toEqual([])
    const shown = await skein('jobs', 'show', id.slice(-8), '--json')
    expect(JSON.parse(shown.stdout)).toMatchObject({ id, state: 'succeeded' })
    expect(await skein('jobs', 'show', 'zzzzzz')).toMatchObject({ code: 1, stderr: expect.stringContaining('No job has an id') })
  })

  test('logs and events show it, from an offset and as JSON', async () => {
    const whole = (await skein('logs', id)).stdout
    expect(whole).toContain('logged\n')
    // Offsets count bytes: each of the first two characters has three.
    expect((await skein('logs', id, '--offset', '6')).stdout).toBe(whole.slice(2))
    expect((await skein('logs', id, '-f', '--offset', '6')).stdout).toBe(whole.slice(2))
    expect(await skein('logs', id, '--offset', '999999')).toMatchObject({ code: 1 })
    const { items } = JSON.parse((await skein('events', id, '--json')).stdout)
    expect(items[0]).toMatchObject({ n: 1, body: { type: 'job.created' } })
    const followed = (await skein('events', id, '-f', '--json')).stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(followed).toEqual(items)
  })

  test('diff is a patch git takes', async () => {
    const { stdout } = await skein('diff', id)
    execFileSync('git', ['-C', repository.path, 'apply', '--check'], { input: stdout })
    expect((await skein('diff', id, '--stat')).stdout).toBe('M a.txt  +1 −0\nR b.txt → c.txt  +0 −0\n2 files, +1 −0\n')
    expect(JSON.parse((await skein('diff', id, '--json')).stdout)).toMatchObject({ files: 2, insertions: 1 })
  })

  test('apply: a dry run, a branch, the work tree, and a conflict that changes nothing', async () => {
    expect(await skein('apply', id, '--dry-run')).toMatchObject({ code: 0, stdout: expect.stringContaining('Would change') })
    expect(repository.git('status', '--porcelain')).toBe('')
    expect((await skein('apply', id, '--branch', 'taken')).code).toBe(0)
    expect(repository.git('show', 'taken:a.txt')).toBe('one\ntwo\n')
    expect((await skein('apply', id, '--branch', 'taken')).code).toBe(3)

    using other = makeRepository({ 'a.txt': 'one\n' })
    const { stdout } = await start(['run', '--no-sandbox', '--json', '--', 'sh', '-c', 'echo two >> a.txt'], { cwd: other.path })
      .ended
    const { jobId: fresh } = JSON.parse(stdout.split('\n', 1)[0] ?? '') as { jobId: string }
    other.write('a.txt', 'mine\n')
    const conflict = await skein('apply', fresh)
    expect([conflict.code, conflict.stdout]).toEqual([3, expect.stringContaining('a.txt')])
    expect(readFileSync(join(other.path, 'a.txt'), 'utf8')).toBe('mine\n')
    other.git('checkout', '--', 'a.txt')
    expect(JSON.parse((await skein('apply', fresh, '--json')).stdout)).toMatchObject({ applied: ['a.txt'], dryRun: false })
    expect(readFileSync(join(other.path, 'a.txt'), 'utf8')).toBe('one\ntwo\n')
  })

  test('a result that was not brought home is fetched', async () => {
    repository.git('update-ref', '-d', `refs/skein/jobs/${id}`)
    repository.git('branch', '-D', 'taken')
    repository.git('prune', '--expire=now')
    expect((await skein('apply', id, '--branch', 'fetched')).code).toBe(0)
    expect(repository.git('show', 'fetched:a.txt')).toBe('one\ntwo\n')
  })

  test('retry runs it again; cancel refuses what has ended', async () => {
    const again = await skein('retry', id, '--follow')
    expect([again.code, again.stdout.split('\n', 1)[0]]).toEqual([0, expect.stringMatching(JOB_ID)])
    expect(await skein('cancel', id)).toMatchObject({ code: 1, stderr: expect.stringContaining('ended') })
  })

  test('prune says what it would remove', async () => {
    const report = JSON.parse((await skein('prune', '--older-than', '0s', '--dry-run', '--json')).stdout)
    expect(report).toMatchObject({ dryRun: true })
    expect(report.jobs).toBeGreaterThan(0)
    expect((await skein('jobs', 'show', id)).code).toBe(0)
  })
})

test('cancel ends a job that runs', async () => {
  const { stdout } = await job('sleep 600', '--detach')
  const id = stdout.trim()
  const following = skein('logs', '-f', id)
  expect(await skein('cancel', id)).toMatchObject({ code: 0, stdout: `${id} is being cancelled\n` })
  expect((await following).code).toBe(0)
  expect(JSON.parse((await skein('jobs', 'show', id, '--json')).stdout)).toMatchObject({ state: 'cancelled' })
})

describe('the server', () => {
  test('agents and models', async () => {
    expect(JSON.parse((await skein('agents', '--json')).stdout).items).toContainEqual(
      expect.objectContaining({ id: 'command', usable: true }),
    )
    expect((await skein('agents')).stdout).toMatch(/^command +✓ yes/m)
    expect(JSON.parse((await skein('models', '--json')).stdout)).toEqual({ object: 'list', data: [] })
  })

  test('its token: where it is, and only by --show what it is', async () => {
    const path = join(home, 'data', 'token')
    const value = readFileSync(path, 'utf8').trim()
    expect((await skein('token')).stdout).toBe(`${path}\n`)
    expect((await skein('token', '--show')).stdout).toBe(`${value}\n`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('doctor finds it, says where settings come from, and shows no secret', async () => {
    const { stdout } = await start(['doctor', '--json'], { env: { OPENAI_API_KEY: 'sk-doctor-secret', API_PORT: '8123' } }).ended
    const report = JSON.parse(stdout)
    expect(report.server).toMatch(/^http:/)
    expect(report.settings).toContainEqual({ path: 'api.port', value: 8123, source: 'environment API_PORT' })
    expect(stdout).not.toContain('sk-doctor-secret')
  })

  test('doctor tries a sandbox beside the server, and takes nothing of it for what an earlier one left', async () => {
    expect(await job('true')).toMatchObject({ code: 0 })
    const { stdout } = await start(['doctor', '--try', '--json']).ended
    expect(JSON.parse(stdout).server).toMatch(/^http:/)
    // What the server keeps from one sandbox to the next is still there.
    expect(await job('true')).toMatchObject({ code: 0 })
  })

  test('a wrong token, no server, a server that is gone, a wrong setting: each with its own exit code', async () => {
    expect(await skein('jobs', '--token', 'wrong')).toMatchObject({ code: 77 })
    const elsewhere = await start(['jobs'], { dataDir: join(home, 'none') }).ended
    expect(elsewhere).toMatchObject({ code: 69, stderr: expect.stringContaining('No Skein server is running here') })
    expect(await skein('jobs', '--url', 'http://127.0.0.1:9')).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('cannot be reached'),
    })
    expect(await start(['serve'], { env: { API_PORT: 'many' } }).ended).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('API_PORT'),
    })
  })

  test('a second one on the same data directory is refused', async () => {
    const { code, stderr } = await start(['serve', '--port', '0', '--log-level', 'silent']).ended
    expect([code, stderr]).toEqual([73, expect.stringMatching(/data directory|already/i)])
  })

  test('a reader that goes away ends the command', async () => {
    const running = start(['run', '--no-sandbox', '--', 'sh', '-c', 'while sleep 0.02; do echo line; done'])
    await running.until(/line\n/)
    running.child.stdout?.destroy()
    expect((await running.ended).code).toBe(141)
    const [active] = JSON.parse((await skein('jobs', '--active', '--json')).stdout).items
    expect((await skein('cancel', active.id)).code).toBe(0)
  })
})

test('skein --version and --help need no server and no settings', async () => {
  const broken = { env: { API_PORT: 'many' } }
  expect(await start(['--version'], broken).ended).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' })
  const help = await start(['--help'], broken).ended
  expect(help).toMatchObject({ code: 0, stderr: '' })
  for (const command of ['serve', 'run', 'logs', 'jobs', 'diff', 'apply', 'cancel', 'retry', 'doctor'])
    expect(help.stdout).toContain(`  ${command}`)
})
