import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import * as z from 'zod'
import { exitOf } from '../exit.ts'
import type { Exit, ProcessIdentity, SandboxProcess } from '../index.ts'
import { answered, type Line } from './line.ts'
import { type OutputName, paths } from './protocol.ts'

const count = z.int().min(0)
const Ended = z.object({
  code: z.int().nullable(),
  signal: z.string().max(20).nullable(),
  oom: z.boolean(),
  stdout: count,
  stderr: count,
})
export type Ended = z.infer<typeof Ended>

/** How much is taken before the runner is told so, and may forget it. */
const TELL_EVERY = 256 * 1024
const INPUT_CHUNK = 256 * 1024

const KILLED: Exit = { reason: 'signal', signal: 'SIGKILL' }

/**
 * A program that a runner has started. What it is lost with ends as if by SIGKILL.
 * @param verdict says why it ended where more is known than the runner can.
 */
export function remoteProgram(deps: {
  id: string
  line: Line
  stdin: boolean
  identity: ProcessIdentity
  verdict: (exit: Exit) => Exit
}): SandboxProcess {
  const { id, line, identity, verdict } = deps
  const ended: Promise<Ended | null> = line
    .ask('GET', paths.exit(id))
    .then(answer => Ended.parse(answer))
    .catch(() => {
      // An answer that makes no sense: then nothing that this runner says is worth having.
      line.lose('its runner answers nonsense')
      return null
    })
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const outputs = Promise.all([follow('stdout', stdout, deps, ended), follow('stderr', stderr, deps, ended)])
  const over = Promise.all([ended, outputs]).then(([end]) => verdict(end ? exitWith(end) : KILLED))
  return {
    identity,
    stdin: deps.stdin ? input(id, line) : null,
    stdout,
    stderr,
    wait: () => over,
    signal: name => void line.ask('POST', paths.signal(id, name)).catch(() => {}),
  }
}

const exitWith = ({ code, signal, oom }: Ended): Exit => (oom ? { reason: 'limit', limit: 'memory' } : exitOf(code, signal))

/** Copies one output, from connection to connection, until all of it is there. */
async function follow(
  name: OutputName,
  into: PassThrough,
  { id, line }: { id: string; line: Line },
  ended: Promise<Ended | null>,
): Promise<void> {
  let offset = 0
  for (;;) {
    const session = await line.session().catch(() => null)
    if (!session) break
    const clean = await take(offset).catch(() => false)
    if (clean) {
      const total = (await ended)?.[name]
      if (total === undefined || total === offset) break
    }
    // Nothing is said of it while the connection is gone; on a living one, such an end makes no sense.
    line.distrust(session)
  }
  into.end()

  async function take(from: number): Promise<boolean> {
    const stream = await line.open('POST', paths.output(id, name, from), { endStream: false })
    stream.on('error', () => {})
    await answered(stream)
    let told = from
    for await (const chunk of stream) {
      offset += (chunk as Buffer).length
      if (!into.destroyed && !into.write(chunk)) await roomIn(into)
      if (offset - told >= TELL_EVERY) {
        stream.write(`${offset}\n`)
        told = offset
      }
    }
    // The end too: all that was kept of it may go.
    stream.end(`${offset}\n`)
    return !stream.aborted && stream.rstCode === 0
  }
}

/** Until it is read on, or nobody wants it any more. */
async function roomIn(stream: PassThrough): Promise<void> {
  const until = new AbortController()
  await Promise.race([once(stream, 'drain', { signal: until.signal }), once(stream, 'close', { signal: until.signal })]).catch(
    () => {},
  )
  until.abort()
}

/** Each piece is there once, however often it is sent; the next goes when the program has taken the one before. */
function input(id: string, line: Line): Writable {
  let at = 0
  const send = async (chunk: Buffer) => {
    for (let start = 0; start < chunk.length; start += INPUT_CHUNK) {
      const piece = chunk.subarray(start, start + INPUT_CHUNK)
      await line.ask('PUT', paths.input(id, at), piece)
      at += piece.length
    }
  }
  // The program may go away without having read; that is its exit to report.
  const quietly = (work: Promise<unknown>, done: () => void) => void work.catch(() => {}).then(() => done())
  return new Writable({
    write: (chunk: Buffer, _, done) => quietly(send(chunk), done),
    final: done => quietly(line.ask('POST', paths.inputEnd(id)), done),
  })
}
