import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Executor, SandboxError, type SandboxProcess, type SandboxSpec } from '#server/executors/index.ts'
import { isAlive } from '#server/lib/process-identity.ts'
import { openWorkshop, runIn, type Workshop } from './executor-workshop.ts'

const shell = (script: string) => ['sh', '-c', script]
const FOREVER = 'while :; do sleep 0.05; done'

/**
 * What every kind of executor promises, whatever its walls are made of. A kind calls this with an executor that can make
 * sandboxes of the given isolation on this machine.
 */
export function executorContract(
  title: string,
  given: {
    isolation: SandboxSpec['isolation']
    executor: () => Executor
    /** A Node.js inside; default: the one of this process. */
    node?: string
    /** Whether what runs inside are processes that this machine can see; default: yes. */
    hasHostProcesses?: boolean
  },
): void {
  const { isolation, node = process.execPath, hasHostProcesses = true } = given
  const isDead = ({ identity }: SandboxProcess) => !hasHostProcesses || !isAlive(identity)
  describe(title, () => {
    let workshop: Workshop
    beforeAll(async () => {
      workshop = await openWorkshop(given.executor())
    })
    afterAll(() => workshop[Symbol.asyncDispose]())
    const prepare = (changes: Partial<SandboxSpec> = {}) => workshop.sandbox({ isolation, ...changes })

    test('runs a program in the work tree and gives back its output and exit code', async () => {
      const sandbox = await prepare()
      const { stdout, stderr, exit } = await runIn(sandbox, shell('pwd; echo to-err >&2; exit 7'))
      expect(stdout).toBe(`${sandbox.workDir}\n`)
      expect(stderr).toBe('to-err\n')
      expect(exit).toEqual({ reason: 'exit', code: 7 })
    })

    test('tells of a sandbox, and whose it is, until it is cleaned up', async () => {
      const spec = await workshop.spec({ isolation, job: { id: '0'.repeat(14), epoch: 3, purpose: 'agent' } })
      const { executor } = workshop
      const sandbox = await executor.prepare(spec)
      const mine = async () =>
        (await executor.workloads()).filter(({ id }) => id.startsWith(`${executor.kind}:`) && id.includes(spec.id))
      expect(await mine()).toMatchObject([
        {
          executor: executor.kind,
          jobId: '0'.repeat(14),
          epoch: 3,
          purpose: 'agent',
          state: 'running',
          isolation: sandbox.isolation,
        },
      ])
      if (sandbox.programs === 'host') expect(sandbox.image).toBeNull()
      // A cluster may not say by which digest it has an image that was imported.
      else expect(sandbox.image?.digest ?? `sha256:${'0'.repeat(64)}`).toMatch(/^sha256:[0-9a-f]{64}$/)
      if (sandbox.programs === 'image') expect(sandbox.image?.name).toMatch(/\w/)
      await sandbox.cleanup()
      expect(await mine()).toEqual([])
    })

    test('passes arguments untouched', async () => {
      const awkward = ['', ' ', "it's", '$HOME', '*', 'a\nb', '--', '-x', 'Ünïcode', '\\']
      const { stdout } = await runIn(await prepare(), ['printf', '%s|', ...awkward])
      expect(stdout).toBe(awkward.map(argument => `${argument}|`).join(''))
    })

    test('the work tree is the host directory: what is there is inside, and what is inside is there at the end', async () => {
      const spec = await workshop.spec({ isolation })
      await writeFile(join(spec.workTree, 'given'), 'from outside')
      const sandbox = await workshop.sandbox(spec)
      const { stdout } = await runIn(sandbox, shell('cat given; echo from inside > made'))
      expect(stdout).toBe('from outside')
      await sandbox.end()
      expect(await readFile(join(spec.workTree, 'made'), 'utf8')).toBe('from inside\n')
    })

    test('the environment is what was given and no more', async () => {
      process.env.SKEIN_TEST_SECRET = 'planted'
      const sandbox = await prepare({ env: { GIVEN: 'spec' } })
      const { stdout } = await runIn(sandbox, ['env'], { env: { ALSO: 'start' } })
      delete process.env.SKEIN_TEST_SECRET
      const names = stdout.split('\n').map(line => line.split('=')[0])
      expect(stdout).toMatch(/^GIVEN=spec$/m)
      expect(stdout).toMatch(/^ALSO=start$/m)
      for (const name of ['PATH', 'HOME', 'TMPDIR', 'LANG', 'SKEIN_SANDBOX_ID']) expect(names).toContain(name)
      expect(stdout).not.toContain('planted')
    })

    test('home and tmp are private, writable, and shared by the starts of one sandbox', async () => {
      const one = await prepare()
      await runIn(one, shell('echo kept > "$HOME/file" && echo kept > "$TMPDIR/file"'))
      expect((await runIn(one, shell('cat "$HOME/file" "$TMPDIR/file"'))).stdout).toBe('kept\nkept\n')
      expect((await runIn(await prepare(), shell('ls -A "$HOME" "$TMPDIR" | grep -c file'))).stdout).toBe('0\n')
    })

    test('more host paths are shown at the same place', async () => {
      const shown = join(workshop.directory, 'shown')
      await writeFile(shown, 'look')
      const { stdout } = await runIn(await prepare({ readOnly: [shown] }), ['cat', shown])
      expect(stdout).toBe('look')
    })

    test('standard input is a pipe when asked for, and empty otherwise', async () => {
      const sandbox = await prepare()
      const cat = await sandbox.start({ argv: ['cat'], stdin: 'pipe', network: false })
      cat.stdin?.end('through')
      expect(await text(cat.stdout)).toBe('through')
      expect((await runIn(sandbox, ['cat'])).stdout).toBe('')
    })

    test('a program that is not there is named as missing', async () => {
      const sandbox = await prepare()
      await expect(sandbox.start({ argv: ['no-such-program'], stdin: 'none', network: false })).rejects.toMatchObject({
        code: 'not_found',
      } satisfies Partial<SandboxError>)
    })

    test('a signal reaches the program, and the exit says so', async () => {
      const sandbox = await prepare()
      const trapping = await sandbox.start({
        argv: shell(`trap 'exit 3' TERM; echo ready; ${FOREVER}`),
        stdin: 'none',
        network: false,
      })
      await once(trapping.stdout, 'ready')
      trapping.signal('SIGTERM')
      expect(await trapping.wait()).toEqual({ reason: 'exit', code: 3 })
      const sleeping = await sandbox.start({ argv: shell('echo ready; exec sleep 1000'), stdin: 'none', network: false })
      await once(sleeping.stdout, 'ready')
      sleeping.signal('SIGTERM')
      expect(await sleeping.wait()).toEqual({ reason: 'signal', signal: 'SIGTERM' })
      sleeping.signal('SIGTERM')
    })

    test('SIGKILL ends a program that ignores everything else', async () => {
      const program = await (await prepare()).start({
        argv: shell(`trap '' TERM INT HUP; echo ready; ${FOREVER}`),
        stdin: 'none',
        network: false,
      })
      await once(program.stdout, 'ready')
      program.signal('SIGTERM')
      program.signal('SIGKILL')
      expect(await program.wait()).toEqual({ reason: 'signal', signal: 'SIGKILL' })
    })

    test('a daemon that holds the output open does not outlive its program', async () => {
      const { stdout, exit } = await runIn(await prepare(), shell('(setsid sleep 1000 &) ; echo done'))
      expect(stdout).toBe('done\n')
      expect(exit).toEqual({ reason: 'exit', code: 0 })
    })

    test.runIf(hasHostProcesses)('the identity is that of a living process, and dead after the end', async () => {
      const program = await (await prepare()).start({ argv: shell('echo ready; cat'), stdin: 'pipe', network: false })
      await once(program.stdout, 'ready')
      expect(isAlive(program.identity)).toBe(true)
      program.stdin?.end()
      await program.wait()
      expect(isAlive(program.identity)).toBe(false)
    })

    test('cleanup ends daemons that ignore SIGTERM, removes the scratch directory, keeps the work tree, and may be repeated', async () => {
      const spec = await workshop.spec({ isolation })
      const sandbox = await workshop.sandbox(spec)
      const stubborn = `trap '' TERM; echo ready; ${FOREVER}`
      const program = await sandbox.start({
        // Whichever is ready first, both ignore it by then.
        argv: shell(`trap '' TERM; touch kept; (setsid sh -c "${stubborn}" &); ${stubborn}`),
        stdin: 'none',
        network: false,
      })
      await once(program.stdout, 'ready')
      await Promise.all([sandbox.cleanup(), sandbox.cleanup()])
      program.stdout.resume()
      program.stderr.resume()
      expect(await program.wait()).toEqual({ reason: 'signal', signal: 'SIGKILL' })
      expect(isDead(program)).toBe(true)
      expect(existsSync(spec.scratch)).toBe(false)
      expect(existsSync(join(spec.workTree, 'kept'))).toBe(true)
      await sandbox.cleanup()
      await expect(sandbox.start({ argv: ['true'], stdin: 'none', network: false })).rejects.toBeInstanceOf(SandboxError)
    })

    test('signal reaches everything inside', async () => {
      const sandbox = await prepare()
      const program = await sandbox.start({
        argv: shell(`trap 'wait; exit 0' TERM; sh -c 'trap "echo child; exit" TERM; echo ready; ${FOREVER}' & wait; wait`),
        stdin: 'none',
        network: false,
      })
      const output = once(program.stdout, 'ready').then(() => once(program.stdout, 'child'))
      await once(program.stdout, 'ready')
      await sandbox.signal('SIGTERM')
      await output
      program.stdout.resume()
      expect(await program.wait()).toEqual({ reason: 'exit', code: 0 })
    })

    test('statistics count processes, memory, processor time and disk', async () => {
      const sandbox = await prepare()
      const argv = shell('i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; head -c 1000000 /dev/zero > big; echo ready; cat')
      const program = await sandbox.start({ argv, stdin: 'pipe', network: false })
      await once(program.stdout, 'ready')
      const stats = await sandbox.stats()
      expect(stats.processes).toBeGreaterThanOrEqual(1)
      expect(stats.memoryBytes).toBeGreaterThan(10_000)
      expect(stats.cpuMs).toBeGreaterThan(10)
      expect(stats.diskBytes).toBeGreaterThanOrEqual(1_000_000)
      program.signal('SIGKILL')
    })

    test('a preparation that fails leaves nothing', async () => {
      const spec = await workshop.spec({ isolation })
      const missing = { ...spec, workTree: join(spec.workTree, 'missing') }
      await expect(workshop.executor.prepare(missing)).rejects.toBeInstanceOf(SandboxError)
      expect(existsSync(spec.scratch)).toBe(false)
      await expect(workshop.executor.prepare({ ...spec, id: '../up' })).rejects.toBeInstanceOf(SandboxError)
    })

    test('the way out is the gateway, by the relay', async () => {
      const socket = join(workshop.directory, `${isolation}.sock`)
      const gateway = await listen(socket)
      const sandbox = await prepare({ gatewaySocket: socket })
      expect(sandbox.relayUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
      const script = `const answer = await fetch(process.env.HTTP_PROXY + '/v1/models', { method: 'POST', body: 'x'.repeat(3e6) }); console.log(await answer.text()); process.exitCode = 5`
      const { stdout, stderr, exit } = await runIn(sandbox, [node, '--input-type=module', '-e', script], {
        network: true,
      })
      gateway.close()
      expect(stderr).toBe('')
      expect(stdout).toBe('/v1/models 3000000\n')
      expect(exit).toEqual({ reason: 'exit', code: 5 })
    })

    test.runIf(hasHostProcesses)(
      'reap ends what is recorded and lives, and leaves a process alone that only has the same id',
      async () => {
        const program = await (await prepare()).start({ argv: shell('echo ready; cat'), stdin: 'pipe', network: false })
        await once(program.stdout, 'ready')
        const other = await openWorkshop(workshop.executor)
        expect(isAlive(program.identity)).toBe(true)
        await other.executor.reap([program.identity, { pid: process.pid, startTime: 'another boot:1' }])
        expect(await program.wait()).toEqual({ reason: 'signal', signal: 'SIGKILL' })
        await other[Symbol.asyncDispose]()
      },
    )
  })
}

/** Waits until the stream has said `word`; leaves it open for more. */
function once(stream: NodeJS.ReadableStream, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      if (!said.includes(word)) return
      stream.off('data', listen)
      resolve()
    }
    stream.on('data', listen)
    stream.once('end', () => reject(new Error(`The output ended without ${word}: ${said}`)))
  })
}

/** A stand-in for the gateway: answers the path and how many bytes came. */
function listen(socket: string): Promise<Server> {
  const server = createServer((request, response) => {
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    request.on('end', () => response.end(`${request.url} ${bytes}`))
  })
  return new Promise(resolve => server.listen(socket, () => resolve(server)))
}
