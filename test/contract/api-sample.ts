import { pino } from 'pino'
import { createApi } from '#server/api/index.ts'
import type { Call, Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import { ApiError, type Client, createClient, type Operation, operations } from '#shared/contract/index.ts'
import { Config, type JobEvent, PROTOCOL, type Role } from '#shared/model/index.ts'
import { virtualClock } from '../fakes/clock.ts'
import { sample } from './api-arbitrary.ts'

export const TOKEN = 'a-token-for-tests-that-nobody-else-knows'
export const LOG_BYTES = new TextEncoder().encode('log bytes\n')

type AnyHandler = (input: unknown, call: Call) => Promise<unknown>
export type SampleHandlers = Partial<Record<keyof Handlers, AnyHandler>>

/** A handler that answers what fits its operation, always the same. */
export function sampleHandler({ answer, status }: Operation): AnyHandler {
  switch (answer.kind) {
    case 'json': {
      const body = sample(answer.schema)
      return async () => ({ status: status[0], body })
    }
    case 'events': {
      const body = sample(answer.schema)
      const item = sample(answer.item) as JobEvent
      return async () => ({ page: async () => body, follow: () => only(item) })
    }
    case 'bytes':
      return async () => ({ headers: { 'skein-log-size': String(LOG_BYTES.length) }, body: only(LOG_BYTES) })
    case 'openai':
      return async () => Response.json({ object: 'sample' })
  }
}

async function* only<T>(item: T): AsyncGenerator<T, void> {
  yield item
}

export interface SampleApi extends AsyncDisposable {
  readonly url: string
  readonly client: Client
  readonly api: ReturnType<typeof createApi>
  /** Lines logged so far. */
  readonly log: Record<string, unknown>[]
  /** fetch with the token, unless headers say otherwise. */
  request(path: string, init?: RequestInit): Promise<Response>
}

/** The real API on a free port, over handlers that answer samples where a test gives none of its own. */
export async function startApi(
  options: { handlers?: SampleHandlers; config?: Partial<Config['api']>; clock?: Clock; role?: () => Role | null } = {},
): Promise<SampleApi> {
  const entries = Object.entries(operations) as [keyof Handlers, Operation][]
  const handlers = Object.fromEntries(
    entries.map(([name, operation]) => [name, options.handlers?.[name] ?? sampleHandler(operation)]),
  ) as unknown as Handlers
  const log: Record<string, unknown>[] = []
  const config = { ...Config.parse({ dataDir: '/nowhere' }).api, port: 0, ...options.config }
  const api = createApi({
    pages: { manifest: () => null, file: async () => null },
    handlers,
    token: { matches: candidate => candidate === TOKEN },
    async authenticatePeer({ authorization }) {
      if (authorization === `Bearer ${TOKEN}` || authorization === `Skein ${TOKEN}`)
        return { node: 'a'.repeat(26), protocol: PROTOCOL.max }
      throw new ApiError('unauthorized', 'No node was named.')
    },
    roleOf: async () => options.role?.() ?? null,
    config,
    version: '0.0.0',
    clock: options.clock ?? virtualClock(),
    log: pino({ level: 'debug' }, { write: line => void log.push(JSON.parse(line)) }),
    checkAnswers: true,
  })
  const { url } = await api.listen()
  return {
    url,
    api,
    log,
    client: createClient((path, init) => fetch(url + path, init as RequestInit), TOKEN),
    request: (path, init = {}) =>
      fetch(url + path, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) } }),
    [Symbol.asyncDispose]: () => api.close(0),
  }
}
