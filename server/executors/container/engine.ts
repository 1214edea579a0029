import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import * as z from 'zod'

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
  readonly socket: string
  /** @throws {EngineError} for what it refuses, {Error} when it cannot be reached or answers something else */
  ask<T>(schema: z.ZodType<T>, method: string, path: string, options?: AskOptions): Promise<T>
  /** The same, for answers of many JSON lines. */
  lines(method: string, path: string, signal?: AbortSignal): AsyncGenerator<unknown>
}

interface AskOptions {
  readonly body?: object
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
}

/** Old enough for every engine in use; newer ones answer it the same. */
const API = '/v1.41'
const TIMEOUT_MS = 60_000
const LINE_BYTES = 2 ** 20

/** Nothing in the answer is needed. */
export const Nothing = z.unknown()

export function createEngine(socket: string): Engine {
  const send = (method: string, path: string, { body, signal, timeoutMs }: AskOptions) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body)
      const headers =
        payload === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) }
      const outgoing = request(
        { socketPath: socket, path: API + path, method, headers, agent: false, ...(signal ? { signal } : {}) },
        resolve,
      )
      if (timeoutMs) outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`The engine at ${socket} does not answer`)))
      outgoing.once('error', reject)
      outgoing.end(payload)
    })

  const accepted = async (response: IncomingMessage): Promise<IncomingMessage> => {
    const status = response.statusCode ?? 0
    if (status < 400) return response
    throw new EngineError(status, messageOf(await text(response)))
  }

  return {
    socket,
    async ask(schema, method, path, options = {}) {
      const response = await accepted(await send(method, path, { timeoutMs: TIMEOUT_MS, ...options }))
      const answer = await text(response)
      return schema.parse(answer.trim() === '' ? null : JSON.parse(answer))
    },
    async *lines(method, path, signal) {
      const response = await accepted(await send(method, path, { signal }))
      let rest = ''
      for await (const chunk of response.setEncoding('utf8')) {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > LINE_BYTES) throw new Error('The engine answers without an end of line')
        for (const line of lines) if (line.trim() !== '') yield JSON.parse(line)
      }
      if (rest.trim() !== '') yield JSON.parse(rest)
    },
  }
}

function messageOf(answer: string): string {
  try {
    const { message, cause } = JSON.parse(answer) as { message?: unknown; cause?: unknown }
    return String(message ?? cause ?? answer).slice(0, 1000)
  } catch {
    return answer.slice(0, 1000)
  }
}

/** Filters of a list, as the API takes them. */
export const labelled = (labels: readonly string[]): string => `filters=${encodeURIComponent(JSON.stringify({ label: labels }))}`
