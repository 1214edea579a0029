import { type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as z from 'zod'
import { gather } from '#server/lib/gather.ts'
import { linesOf } from '#server/lib/lines.ts'
import { SandboxError } from '../index.ts'

/** The engine's own refusal. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly status: number
  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

/** A container engine behind the Docker Engine API; Podman serves the same. */
export interface Engine {
  /** Path of its socket, or `tcp://` and where it listens. */
  readonly at: string
  /** @throws {EngineError} for what it refuses, {Error} when it cannot be reached or answers something else */
  ask<T>(schema: z.ZodType<T>, method: string, path: string, options?: AskOptions): Promise<T>
  /** Sends a tar archive along. @throws {EngineError} {Error} */
  put(path: string, archive: Readable): Promise<void>
  /** The same, for answers of many JSON lines. */
  lines(method: string, path: string, signal?: AbortSignal): AsyncGenerator<unknown>
}

interface AskOptions {
  readonly body?: object
  readonly signal?: AbortSignal | undefined
  /** Of silence; 0: none is too long. */
  readonly timeoutMs?: number
}

/** Old enough for every engine in use; newer ones answer it the same. */
const API = '/v1.41'
/** Podman counts the versions of its own API otherwise. */
const HAS_VERSION = /^\/v\d/
const TIMEOUT_MS = 60_000
const LINES = { mostCharacters: 2 ** 20, tooLong: 'The engine answers without an end of line', andRest: true }
const ANSWER_BYTES = 16 * 2 ** 20

/** Nothing in the answer is needed. */
export const Nothing = z.unknown()

/** @param where a socket's path, or an engine that is reached without */
export function createEngine(where: string | { readonly host: string; readonly port: number }): Engine {
  const target = typeof where === 'string' ? { socketPath: where } : where
  const at =
    typeof where === 'string' ? where : `tcp://${where.host.includes(':') ? `[${where.host}]` : where.host}:${where.port}`

  const open = (method: string, path: string, headers: Record<string, string | number>, { signal, timeoutMs }: AskOptions) => {
    const outgoing = request({
      ...target,
      // Without the port, and a name: what stands between may look at it.
      ...{ method, path: HAS_VERSION.test(path) ? path : API + path, headers: { Host: 'docker', ...headers }, agent: false },
      ...(signal ? { signal } : {}),
    })
    if (timeoutMs) outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`The engine at ${at} does not answer`)))
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.once('error', reject)
    })
    return { outgoing, answer }
  }

  const send = (method: string, path: string, options: AskOptions) => {
    const payload = options.body === undefined ? undefined : JSON.stringify(options.body)
    const headers =
      payload === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) }
    const { outgoing, answer } = open(method, path, headers, options)
    outgoing.end(payload)
    return answer
  }

  const accepted = async (response: IncomingMessage): Promise<IncomingMessage> => {
    const status = response.statusCode ?? 0
    if (status < 400) return response
    throw new EngineError(status, complaint(await whole(response)))
  }

  return {
    at,
    async put(path, archive) {
      const { outgoing, answer } = open('PUT', path, { 'Content-Type': 'application/x-tar' }, { timeoutMs: TIMEOUT_MS })
      answer.catch(() => {})
      // An engine that refuses hangs up before it has read it all; what it says then counts.
      const sent = pipeline(archive, outgoing).catch((cause: Error) => cause)
      const response = await Promise.race([answer, sent.then(failure => (failure ? Promise.reject(failure) : answer))])
      await whole(await accepted(response))
    },
    async ask(schema, method, path, options = {}) {
      const response = await accepted(await send(method, path, { timeoutMs: TIMEOUT_MS, ...options }))
      const answer = await whole(response)
      return schema.parse(answer.trim() === '' ? null : JSON.parse(answer))
    },
    async *lines(method, path, signal) {
      const response = await accepted(await send(method, path, { signal }))
      for await (const line of linesOf(response, LINES)) if (line.trim() !== '') yield JSON.parse(line)
    },
  }
}

const whole = async (response: IncomingMessage): Promise<string> =>
  (await gather(response, ANSWER_BYTES, 'The answer of the engine is too long')).toString()

const Complaint = z.object({ message: z.string().optional(), cause: z.string().optional() })

function complaint(answer: string): string {
  try {
    const { message, cause } = Complaint.parse(JSON.parse(answer))
    return (message ?? cause ?? answer).slice(0, 1000)
  } catch {
    return answer.slice(0, 1000)
  }
}

/** Those with all of these labels, as lists of the API are filtered. */
export const labelled = (labels: readonly string[]): string => `filters=${encodeURIComponent(JSON.stringify({ label: labels }))}`

const Created = z.object({ Id: z.string() })

/** @throws {EngineError} */
export async function createContainer(engine: Engine, name: string, body: object): Promise<string> {
  const { Id } = await engine.ask(Created, 'POST', `/containers/create?name=${encodeURIComponent(name)}`, { body })
  return Id
}

const Waited = z.object({ StatusCode: z.int() })

/** @returns its exit code, once it is over. @throws {EngineError} */
export async function waitFor(engine: Engine, id: string, options: AskOptions = { timeoutMs: 0 }): Promise<number> {
  return (await engine.ask(Waited, 'POST', `/containers/${id}/wait`, options)).StatusCode
}

const REMOVE_TRIES = 5
const OVER_MS = 10_000

/** Removes a container and its own volumes, running or not. @throws {SandboxError} when it may still be there */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const failure = await engine.ask(Nothing, 'DELETE', `/containers/${id}?force=true&v=true`).catch((cause: Error) => cause)
    if (!(failure instanceof Error) || isMissing(failure)) return
    // It is on its way out by itself, or somebody else is at it: Podman refuses then, Docker as well. Once it is over it can be removed.
    const over = await waitFor(engine, id, { timeoutMs: OVER_MS }).catch((cause: Error) => cause)
    if (over instanceof Error && isMissing(over)) return
    if (tries === REMOVE_TRIES) {
      throw new SandboxError('failed', `Container ${id.slice(0, 12)} could not be removed: ${failure.message}`, {
        cause: failure,
      })
    }
  }
}

const isMissing = (error: Error): boolean => error instanceof EngineError && error.status === 404
