import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { packTar, type TarEntry } from 'modern-tar'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { built } from '#server/lib/built.ts'
import { systemClock } from '#server/lib/clock.ts'
import {
  createDoor,
  type Door,
  type HomeAddress,
  type RemoteSandbox,
  type RemoteSandboxOptions,
  type RunnerToken,
  runnerCommand,
  type TreeLimits,
  type Visitor,
} from './index.ts'
import { receiveTree } from './tree/receive.ts'
import { sendTree } from './tree/send.ts'

const LIMITS = { memoryBytes: 2 ** 30, cpuSeconds: 60, processes: 200, fileBytes: 2 ** 28, diskBytes: 2 ** 30, logBytes: 2 ** 20 }
const TREE: TreeLimits = { bytes: 2 ** 26, entries: 1000 }
const runnerFile = built('inside/runner.mjs')

let root: string
const living: ChildProcess[] = []
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skein-runner-'))
})
afterAll(async () => {
  for (const child of living) kill(child)
  await rm(root, { recursive: true })
})

let count = 0
/** A directory, a door that awaits one runner, and a way to start one. */
async function place(options: { lostAfterMs?: number; gatewaySocket?: string; relayPort?: number } = {}) {
  const id = `r${process.pid}-${++count}`
  const directory = join(root, id)
  const workDir = join(directory, 'work')
  await mkdir(workDir, { recursive: true })
  const door: Door = createDoor({ clock: systemClock })
  const relayPort = options.relayPort ?? null
  const sandboxOptions: RemoteSandboxOptions = {
    spec: {
      id,
      workTree: workDir,
      scratch: directory,
      readOnly: [],
      env: {},
      limits: LIMITS,
      gatewaySocket: options.gatewaySocket ?? null,
      isolation: 'sandbox',
    },
    isolation: 'process',
    workDir,
    home: directory,
    tmp: directory,
    path: process.env.PATH ?? '',
    relayPort,
    graceMs: 500,
    clock: systemClock,
    remove: async () => {},
  }
  const visitor = door.expect({ ...sandboxOptions, lostAfterMs: options.lostAfterMs ?? 60_000 })
  const run = async (homes: HomeAddress[], changes: Partial<RunnerToken> = {}) => {
    const token: RunnerToken = {
      id,
      secret: visitor.secret,
      homes,
      workDir,
      disk: [workDir],
      spool: join(directory, 'spool'),
      spoolBytes: 2 ** 24,
      awayMs: 60_000,
      relayPort,
      alone: false,
      ...changes,
    }
    const file = join(directory, 'token')
    await writeFile(file, JSON.stringify(token))
    const [shell = '', ...argv] = runnerCommand(process.execPath, runnerFile, file)
    const child = spawn(shell, argv, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] })
    living.push(child)
    return child
  }
  return { id, directory, workDir, door, visitor, run }
}

/** The shell that starts it, and the runner itself. */
function kill(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), 'SIGKILL')
  } catch {
    // Over already.
  }
}

const exitOf = (child: ChildProcess) => new Promise<void>(resolve => child.once('exit', () => resolve()))

/** Forwards connections, and cuts one when so many bytes have come from the runner. */
async function cutter(socket: string, to: string, every: number) {
  let cuts = 0
  const server = createServer(near => {
    const far = connect(to)
    let bytes = 0
    near.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes < every) return
      cuts++
      near.destroy()
      far.destroy()
    })
    const ignore = (one: Socket, other: Socket) => one.on('error', () => {}).on('close', () => other.destroy())
    ignore(near, far)
    ignore(far, near)
    near.pipe(far).pipe(near)
  })
  await new Promise<void>(resolve => server.listen(socket, resolve))
  return { cuts: () => cuts, close: () => server.close() }
}

async function run({ sandbox }: { sandbox: RemoteSandbox }, argv: string[], stdin: 'none' | 'pipe' = 'none') {
  const program = await sandbox.start({ argv, stdin, network: false })
  const [stdout, stderr, exit] = await Promise.all([text(program.stdout), text(program.stderr), program.wait()])
  return { stdout, stderr, exit }
}

describe('a runner', () => {
  test('gives 50 MB exactly as they were, though the connection is cut again and again', async () => {
    const { directory, door, visitor, run } = await place()
    const [home, way] = [join(directory, 'home.sock'), join(directory, 'way.sock')]
    const stop = await door.listenAt(home)
    const between = await cutter(way, home, 9e6)
    await run([{ socket: way }])
    const script = `const { createHash } = require('crypto'); let block = Buffer.alloc(32), n = 0
      const go = () => { while (n < 5e7) { const b = Buffer.alloc(100000); for (let i = 0; i < b.length; i += 32) { block = createHash('sha256').update(block).digest(); block.copy(b, i) } n += b.length; if (!process.stdout.write(b)) return process.stdout.once('drain', go) } process.exitCode = 4 }
      go()`
    const program = await visitor.sandbox.start({ argv: [process.execPath, '-e', script], stdin: 'none', network: false })
    program.stderr.resume()
    const seen = createHash('sha256')
    let bytes = 0
    for await (const chunk of program.stdout) {
      seen.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
    }
    const wanted = createHash('sha256')
    let block = Buffer.alloc(32)
    for (let n = 0; n < 5e7; n += 100_000) {
      const chunk = Buffer.alloc(100_000)
      for (let i = 0; i < chunk.length; i += 32) {
        block = createHash('sha256').update(block).digest()
        block.copy(chunk, i)
      }
      wanted.update(chunk)
    }
    expect(bytes).toBe(5e7)
    expect(seen.digest('hex')).toBe(wanted.digest('hex'))
    expect(await program.wait()).toEqual({ reason: 'exit', code: 4 })
    expect(between.cuts()).toBeGreaterThanOrEqual(4)
    await visitor.sandbox.cleanup()
    between.close()
    stop()
  })

  test('passes input on at the pace of the program, each byte once', async () => {
    const { directory, door, visitor, run } = await place()
    const [home, way] = [join(directory, 'home.sock'), join(directory, 'way.sock')]
    const stop = await door.listenAt(home)
    // Output of the runner is small here; pings and answers are enough to cut at.
    const between = await cutter(way, home, 3e6)
    await run([{ socket: way }])
    const program = await visitor.sandbox.start({ argv: ['cat'], stdin: 'pipe', network: false })
    program.stderr.resume()
    let accepted = 0
    const block = Buffer.alloc(100_000, 'x')
    // Nobody reads: sooner or later nothing more is taken.
    while (program.stdin?.write(block) && accepted < 1e9) accepted++
    const input = createHash('sha256')
    const output = createHash('sha256')
    const written = (async () => {
      for (let i = 0; i < accepted + 1; i++) input.update(block)
      for (let i = 0; i < 120; i++) {
        const next = Buffer.alloc(100_000, `line ${i}\n`)
        input.update(next)
        if (!program.stdin?.write(next)) await new Promise<void>(resolve => program.stdin?.once('drain', () => resolve()))
      }
      program.stdin?.end()
    })()
    for await (const chunk of program.stdout) output.update(chunk as Buffer)
    await written
    expect(output.digest('hex')).toBe(input.digest('hex'))
    expect(accepted * block.length).toBeLessThan(2 ** 22)
    await visitor.sandbox.cleanup()
    between.close()
    stop()
  })

  test('that its program stops holds up the end for as long as the grace, and its end is no loss', {
    timeout: 30_000,
  }, async () => {
    const { visitor, door, directory, run } = await place()
    const socket = join(directory, 'door')
    const close = await door.listenAt(socket)
    const child = await run([{ socket }])
    await visitor.arrived()
    const { sandbox } = visitor
    const program = await sandbox.start({
      argv: ['sh', '-c', 'read -r go; kill -STOP $PPID; exec sleep 1000'],
      stdin: 'pipe',
      network: false,
    })
    program.stdin?.write('go\n')
    const stopped = () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim().split(' ')[0]
    await expect.poll(() => readFileSync(`/proc/${stopped()}/stat`, 'latin1').split(' ')[2]).toBe('T')
    await sandbox.end()
    expect(await program.wait()).toEqual({ reason: 'signal', signal: 'SIGKILL' })
    expect(sandbox.lost.aborted).toBe(false)
    close()
    kill(child)
  })

  test('that is killed is lost, and so are its programs', async () => {
    const { directory, door, visitor, run } = await place({ lostAfterMs: 200 })
    const stop = await door.listenAt(join(directory, 'home.sock'))
    const runner = await run([{ socket: join(directory, 'home.sock') }])
    const program = await visitor.sandbox.start({ argv: ['sleep', '1000'], stdin: 'none', network: false })
    program.stdout.resume()
    program.stderr.resume()
    kill(runner)
    expect(await program.wait()).toEqual({ reason: 'signal', signal: 'SIGKILL' })
    expect(visitor.sandbox.lost.reason).toMatchObject({ code: 'lost' })
    await expect(visitor.sandbox.start({ argv: ['true'], stdin: 'none', network: false })).rejects.toMatchObject({ code: 'lost' })
    process.kill(program.identity.pid, 'SIGKILL')
    stop()
  })

  test('without a home for too long ends everything', async () => {
    const { directory, door, visitor, run } = await place()
    const stop = await door.listenAt(join(directory, 'home.sock'))
    const runner = await run([{ socket: join(directory, 'home.sock') }], { awayMs: 300 })
    const program = await visitor.sandbox.start({ argv: ['sleep', '1000'], stdin: 'none', network: false })
    stop()
    visitor.sandbox.lose('of the test')
    await exitOf(runner)
    await expect.poll(() => existsSync(`/proc/${program.identity.pid}/exe`)).toBe(false)
  })

  test('with the wrong secret, or at a home with another certificate, is nobody', async () => {
    const { directory, door, visitor, run } = await place()
    const stop = await door.listenAt(join(directory, 'home.sock'))
    const tls = await door.listenTls({ host: '127.0.0.1', port: 0 })
    const wrongSecret = await run([{ socket: join(directory, 'home.sock') }], { secret: 'x'.repeat(43), awayMs: 400 })
    const wrongHome = await run([{ host: '127.0.0.1', port: tls.port, fingerprint: tls.fingerprint.replace(/^../, '00') }], {
      awayMs: 400,
    })
    let came = false
    void visitor.arrived().then(() => (came = true))
    await exitOf(wrongHome)
    expect(came).toBe(false)
    kill(wrongSecret)
    await run([{ host: '127.0.0.1', port: tls.port, fingerprint: tls.fingerprint }])
    expect(await runIn(visitor)).toBe('by TLS\n')
    await visitor.sandbox.cleanup()
    tls.close()
    stop()
  })

  test('that speaks nonsense, or nothing, or in a flood, does no harm to others', async () => {
    const { directory, door, visitor, run } = await place()
    const home = join(directory, 'home.sock')
    const stop = await door.listenAt(home)
    const closed = (bytes: Buffer) =>
      new Promise<void>(resolve => {
        const socket = connect(home, () => socket.write(bytes))
        socket.on('error', () => {}).on('close', () => resolve())
        socket.resume()
      })
    const frame = (length: number, type: number, flags: number, stream: number) => {
      const header = Buffer.alloc(9)
      header.writeUIntBE(length, 0, 3)
      header[3] = type
      header[4] = flags
      header.writeUInt32BE(stream, 5)
      return header
    }
    const settings = frame(0, 4, 0, 0)
    await closed(Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(100)))
    await closed(Buffer.concat([settings, frame(2 ** 24 - 1, 0, 0, 1), Buffer.alloc(70_000)]))
    await closed(Buffer.concat([settings, frame(5, 1, 4, 1), Buffer.from([255, 255, 255, 255, 255])]))
    await closed(Buffer.concat([settings, frame(4, 5, 4, 1), Buffer.alloc(4)]))
    await run([{ socket: home }])
    expect(await runIn(visitor)).toBe('by TLS\n')
    await visitor.sandbox.cleanup()
    stop()
  })

  test('carries connections to the gateway, and knows what is not there', async () => {
    const gateway = createHttpServer((request, response) =>
      request.resume().on('end', () => response.end(`way out ${request.url}`)),
    )
    const socket = join(root, 'gateway.sock')
    await new Promise<void>(resolve => gateway.listen(socket, resolve))
    const free = createServer()
    const port = await new Promise<number>(resolve =>
      free.listen(0, '127.0.0.1', () => resolve((free.address() as { port: number }).port)),
    )
    await new Promise(resolve => free.close(resolve))
    const { directory, door, visitor, run: start } = await place({ gatewaySocket: socket, relayPort: port })
    const stop = await door.listenAt(join(directory, 'home.sock'))
    await start([{ socket: join(directory, 'home.sock') }])
    const fetches = Array.from({ length: 40 }, (_, i) => `fetch('${visitor.sandbox.relayUrl}/${i}').then(a => a.text())`)
    const { stdout } = await run(visitor, [
      process.execPath,
      '-e',
      `Promise.all([${fetches}]).then(all => console.log(new Set(all).size))`,
    ])
    expect(stdout).toBe('40\n')
    await expect(run(visitor, ['no-such-program'])).rejects.toMatchObject({ code: 'not_found' })
    await visitor.sandbox.cleanup()
    gateway.close()
    stop()
  })

  test('keeps no output of a program that is over and heard to its end', async () => {
    const { directory, door, visitor, run: start } = await place()
    const stop = await door.listenAt(join(directory, 'home.sock'))
    await start([{ socket: join(directory, 'home.sock') }])
    expect((await run(visitor, ['sh', '-c', 'echo much; echo more >&2'])).stdout).toBe('much\n')
    const spool = join(directory, 'spool', 'p1')
    while ((await readdir(spool)).length > 0) await new Promise(setImmediate)
    await visitor.sandbox.cleanup()
    stop()
  })

  test('takes a work tree and gives it back', async () => {
    const { directory, door, visitor, run: start } = await place()
    const stop = await door.listenAt(join(directory, 'home.sock'))
    await start([{ socket: join(directory, 'home.sock') }])
    const given = join(directory, 'given')
    await makeTree(given)
    await visitor.sandbox.sendTree(given, TREE)
    expect((await run(visitor, ['sh', '-c', './bin/run; echo more > more'])).stdout).toBe('ran\n')
    const back = join(directory, 'back')
    await mkdir(back)
    await visitor.sandbox.receiveTree(back, TREE)
    await writeFile(join(given, 'more'), 'more\n')
    expect(await describeTree(back)).toEqual(await describeTree(given))
    await visitor.sandbox.cleanup()
    stop()
  })
})

async function runIn(visitor: Visitor): Promise<string> {
  return (await run(visitor, ['echo', 'by TLS'])).stdout
}

async function makeTree(directory: string): Promise<void> {
  await mkdir(join(directory, 'bin'), { recursive: true })
  await mkdir(join(directory, 'empty'))
  await mkdir(join(directory, 'deep', 'd'.repeat(120), 'e'.repeat(120)), { recursive: true })
  await writeFile(join(directory, 'deep', 'd'.repeat(120), 'e'.repeat(120), 'ünïcode'), Buffer.alloc(300_000, 7))
  await writeFile(join(directory, 'bin', 'run'), '#!/bin/sh\necho ran\n', { mode: 0o755 })
  await writeFile(join(directory, 'secret'), '', { mode: 0o600 })
  await symlink('/usr/bin/env', join(directory, 'absolute'))
  await symlink('../nowhere', join(directory, 'dangling'))
}

/** Every path of a tree with its kind, permissions and content. */
async function describeTree(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    const path = join(directory, name)
    const stat = await lstat(path)
    const mode = (stat.mode & 0o7777).toString(8)
    if (stat.isSymbolicLink()) found[name] = `-> ${await readlink(path)}`
    else if (stat.isDirectory()) found[name] = `directory ${mode}`
    else
      found[name] = `${mode} ${createHash('sha256')
        .update(await readFile(path))
        .digest('hex')}`
  }
  return found
}

describe('a tree that was sent', () => {
  const file = (name: string, body = 'x', mode = 0o644): TarEntry => ({
    header: { name, size: body.length, type: 'file', mode },
    body,
  })
  const link = (name: string, linkname: string, type: 'symlink' | 'link' = 'symlink'): TarEntry => ({
    header: { name, size: 0, type, linkname },
  })
  const receive = async (entries: TarEntry[], limits = TREE) => {
    const directory = await mkdtemp(join(root, 'tree-'))
    await mkdir(join(directory, 'into'))
    await receiveTree(Readable.from([Buffer.from(await packTar(entries))]), join(directory, 'into'), limits)
    return directory
  }

  test.each<[string, TarEntry[]]>([
    ['through a parent', [file('../outside')]],
    ['through a parent in the middle', [file('a/../../outside')]],
    ['by an absolute path', [file('/tmp/skein-outside')]],
    ['through a symbolic link', [link('out', '..'), file('out/outside')]],
    [
      'through a symbolic link in the place of a directory',
      [{ header: { name: 'd/', size: 0, type: 'directory' } }, link('d', '..'), file('d/outside')],
    ],
    ['over a symbolic link', [link('out', '../outside'), file('out')]],
    ['over what is there', [file('twice'), file('twice')]],
    ['by a hard link', [link('hard', '/etc/passwd', 'link')]],
    ['as a device', [{ header: { name: 'null', size: 0, type: 'character-device' } }]],
    ['as a pipe', [{ header: { name: 'pipe', size: 0, type: 'fifo' } }]],
    ['in too many entries', Array.from({ length: 1001 }, (_, i) => file(`f${i}`, ''))],
  ])('does not get out %s', async (_, entries) => {
    await expect(receive(entries)).rejects.toThrow(/./)
    for (const directory of await readdir(root)) expect(existsSync(join(root, directory, 'outside'))).toBe(false)
    expect(existsSync('/tmp/skein-outside')).toBe(false)
  })

  test('does not get larger than allowed', async () => {
    await expect(receive([file('large', 'x'.repeat(3000))], { bytes: 2000, entries: 10 })).rejects.toMatchObject({
      name: 'TreeError',
    })
  })

  test('keeps no set-user-id', async () => {
    const directory = await receive([file('program', 'x', 0o4755)])
    expect((await lstat(join(directory, 'into', 'program'))).mode & 0o7777).toBe(0o755)
  })

  // Root may enter any.
  test.skipIf(process.getuid?.() === 0)('may tell of a directory that nobody may enter after what is in it', async () => {
    const closed = (name: string): TarEntry => ({ header: { name, size: 0, type: 'directory', mode: 0 } })
    const directory = await receive([closed('a/b/'), closed('a/')])
    const outer = join(directory, 'into', 'a')
    expect((await lstat(outer)).mode & 0o777).toBe(0)
    await chmod(outer, 0o700)
    expect((await lstat(join(outer, 'b'))).mode & 0o777).toBe(0)
    await chmod(join(outer, 'b'), 0o700)
  })

  test('that is cut in the middle is refused', async () => {
    const directory = await mkdtemp(join(root, 'tree-'))
    await makeTree(join(directory, 'from'))
    await mkdir(join(directory, 'into'))
    const whole = Buffer.concat(await sendTree(join(directory, 'from')).toArray())
    await expect(receiveTree(Readable.from([whole.subarray(0, 200_000)]), join(directory, 'into'), TREE)).rejects.toMatchObject({
      name: 'TreeError',
    })
  })
})
