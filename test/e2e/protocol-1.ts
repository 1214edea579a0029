import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
/** The last commit whose nodes speak protocol 1 only. */
const LAST_OF_PROTOCOL_1 = '6399374'

/** Why a node of protocol 1 cannot be built here; null when it can. */
export function whyNoProtocol1(): string | null {
  try {
    execFileSync('git', ['-C', root, 'cat-file', '-e', `${LAST_OF_PROTOCOL_1}^{commit}`], { stdio: 'ignore' })
    return null
  } catch {
    return `commit ${LAST_OF_PROTOCOL_1} is not here (a shallow clone?): git fetch --unshallow`
  }
}

/** A server as it was when nodes spoke protocol 1 only. */
export interface OldNode extends AsyncDisposable {
  readonly url: string
  /** Runs its own command line. @returns what it prints */
  skein(...argv: string[]): Promise<string>
}

export async function startOldNode(name: string): Promise<OldNode> {
  const directory = mkdtempSync(join(tmpdir(), 'skein-protocol-1-'))
  const [program, dataDir] = [join(directory, 'program'), join(directory, 'data')]
  const archive = execFileSync('git', ['-C', root, 'archive', '--prefix=program/', LAST_OF_PROTOCOL_1], { maxBuffer: 2 ** 28 })
  execFileSync('tar', ['-x', '-C', directory], { input: archive })
  symlinkSync(join(root, 'node_modules'), join(program, 'node_modules'))
  execFileSync(process.execPath, ['esbuild.mjs'], { cwd: program })
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: directory,
    OLLAMA_HOST: 'http://127.0.0.1:9',
    SKEIN_TAILSCALE_SOCKET: 'off',
    SKEIN_DATA_DIR: dataDir,
    SKEIN_NODE_NAME: name,
    API_PORT: '0',
  }
  const bin = join(program, 'bin/skein.js')
  const child: ChildProcess = spawn(process.execPath, [bin, 'serve', '--json', '--log-level', 'warn'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = child.stdout ? ((await once(child.stdout, 'data')) as [Buffer]) : []
  const { url } = JSON.parse(String(line)) as { url: string }
  return {
    url,
    async skein(...argv) {
      const { stdout } = await execute(process.execPath, [bin, ...argv], { env })
      return stdout
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What was said over a wire: a request, and how it was answered. */
export interface Exchanged {
  readonly method: string
  readonly path: string
  readonly request: unknown
  readonly status: number
  readonly answer: unknown
}

export interface Wire extends Disposable {
  readonly url: string
  readonly heard: readonly Exchanged[]
  /** Waits until something was said. */
  until(fits: (said: Exchanged) => boolean): Promise<void>
}

/** A wire to a server that keeps what goes over it, as far as it is JSON. */
export async function listenIn(target: string): Promise<Wire> {
  const heard: Exchanged[] = []
  const told = new EventEmitter()
  async function passOn(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const sent = Buffer.concat(await incoming.toArray())
    const asked = request(new URL(incoming.url ?? '/', target), {
      method: incoming.method,
      headers: incoming.headers,
      agent: false,
    })
    asked.on('error', () => outgoing.destroy())
    outgoing.on('close', () => asked.destroy())
    asked.on('response', answer => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.on('end', () => {
        const said = { method: incoming.method ?? '', path: incoming.url ?? '', status: answer.statusCode ?? 0 }
        heard.push({ ...said, request: json(sent), answer: json(Buffer.concat(pieces)) })
        told.emit('heard')
      })
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    asked.end(sent)
  }
  const server = createServer((incoming, outgoing) => void passOn(incoming, outgoing)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    async until(fits) {
      while (!heard.some(fits)) await once(told, 'heard')
    },
    [Symbol.dispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return null
  }
}
