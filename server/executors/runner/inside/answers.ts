import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gather } from '#server/lib/gather.ts'
import { send } from '#server/lib/process-identity.ts'
import { ERROR_HEADER, type OutputName, type ProgramRequest, type RunnerToken } from '../protocol.ts'
import { receiveTree, TreeError } from '../tree/receive.ts'
import { sendTree } from '../tree/send.ts'
import { killAll, measure, members } from './measure.ts'
import { NotFound, type Program, startProgram } from './program.ts'
import type { WayOut } from './way-out.ts'

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGKILL'] as const
const BODY_BYTES = 4 * 2 ** 20

/** Answers what the home asks. What was asked before gets the same answer again. */
export function createAnswers(token: RunnerToken, wayOut: WayOut | null, end: () => void) {
  const programs = new Map<string, Promise<Program>>()

  const program = (id: string): Promise<Program> => {
    const found = programs.get(id)
    if (!found) throw new NotFound(`No program ${id} was started`)
    return found
  }

  const start = async (id: string, stream: ServerHttp2Stream) => {
    const request = JSON.parse((await body(stream)).toString()) as ProgramRequest
    const started = programs.get(id) ?? startProgram(id, request, token)
    programs.set(id, started)
    const { pid, startTicks } = await started
    return { pid, startTicks }
  }

  const output = async (id: string, name: OutputName, from: number, stream: ServerHttp2Stream) => {
    const spool = (await program(id)).output(name)
    // The home says on the same stream how far it has come, a number a line.
    let line = ''
    stream.on('data', (chunk: Buffer) => {
      const lines = (line + chunk.toString('latin1')).split('\n')
      line = lines.pop() ?? ''
      const offset = Number(lines.at(-1))
      if (lines.length > 0 && Number.isSafeInteger(offset)) spool.taken(offset)
    })
    stream.respond({ ':status': 200 })
    await pipeline(Readable.from(spool.read(from)), stream)
  }

  const signalAll = (name: NodeJS.Signals) => {
    if (name === 'SIGKILL') killAll(token)
    else for (const pid of members(token)) send(pid, name)
  }

  /** @returns what to answer; undefined when that is done already. */
  const answer = async (method: string, url: URL, stream: ServerHttp2Stream): Promise<object | undefined> => {
    const [, noun = '', id = '', part = ''] = url.pathname.split('/')
    const number = (name: string) => Number(url.searchParams.get(name))
    switch (`${method} ${noun}${id ? '/' : ''}${part}`) {
      case 'GET hello':
        return { id: token.id, secret: token.secret, node: process.versions.node }
      case 'PUT programs/':
        return start(id, stream)
      case 'GET programs/exit':
        return (await program(id)).over
      case 'POST programs/stdout':
      case 'POST programs/stderr':
        return output(id, part as OutputName, number('from'), stream).then(() => undefined)
      case 'PUT programs/stdin':
        await (await program(id)).input(number('at'), await body(stream))
        return {}
      case 'POST programs/stdin-end':
        ;(await program(id)).inputEnd()
        return {}
      case 'POST programs/signal':
        ;(await program(id)).signal(signalOf(url))
        return {}
      case 'POST signal':
        signalAll(signalOf(url))
        return {}
      case 'GET stats':
        return measure(token)
      case 'POST way-out':
        wayOut?.offer(stream)
        return undefined
      case 'PUT tree':
        await receiveTree(stream, url.searchParams.get('into') ?? token.workDir, {
          bytes: number('bytes'),
          entries: number('entries'),
        })
        return {}
      case 'GET tree':
        stream.respond({ ':status': 200 })
        await pipeline(sendTree(token.workDir), stream)
        return undefined
      case 'POST end':
        killAll(token)
        setImmediate(end)
        return {}
      default:
        throw new NotFound(`Nothing answers ${method} ${url.pathname}`)
    }
  }

  return (session: ServerHttp2Session) => {
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => {})
      const url = new URL(String(headers[':path']), 'http://runner')
      answer(String(headers[':method']), url, stream).then(
        result => result && respond(stream, 200, result),
        error => respond(stream, 400, { detail: (error as Error).message }, codeOf(error)),
      )
    })
  }
}

const codeOf = (error: unknown): string =>
  error instanceof NotFound ? 'not_found' : error instanceof TreeError ? 'tree' : 'failed'

function signalOf(url: URL): NodeJS.Signals {
  const name = SIGNALS.find(signal => signal === url.searchParams.get('name'))
  if (!name) throw new Error('No such signal')
  return name
}

function respond(stream: ServerHttp2Stream, status: number, answer: object, error?: string): void {
  if (stream.destroyed) return
  if (stream.headersSent) return void stream.close(2)
  stream.respond({ ':status': status, ...(error ? { [ERROR_HEADER]: error } : {}) })
  stream.end(JSON.stringify(answer))
}

const body = (stream: ServerHttp2Stream): Promise<Buffer> => gather(stream, BODY_BYTES, 'Too much at once')
