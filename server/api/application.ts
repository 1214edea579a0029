import { randomUUID } from 'node:crypto'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Call, Handlers } from '#server/lib/call.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { Log } from '#server/telemetry/index.ts'
import { ApiError, type Operation, operations, roleFor } from '#shared/contract/index.ts'
import { type Config, includes, type NodeId, type Role } from '#shared/model/index.ts'
import { type AnswerDeps, answer } from './answer.ts'
import { parseJson, readBody, requireType } from './body.ts'
import { asApiError, type Environment, type Exchange, problem, reply } from './exchange.ts'
import { corsHeaders, type OriginRules, originRules, preflightHeaders } from './origin.ts'
import type { Pages } from './page-files.ts'
import { pageRoutes } from './pages.ts'
import { createRateLimit } from './rate-limit.ts'
import { createRefusals, type Refusal } from './refusals.ts'
import type { Application } from './server.ts'
import { validate } from './validate.ts'

/** A request of another node. */
export interface PeerRequest {
  readonly authorization: string
  readonly method: string
  /** With the query. */
  readonly path: string
  /** The other end of the connection. */
  readonly remote: { readonly address: string | undefined; readonly port: number | undefined }
  /** Reads the body, which is done only for those who are known. */
  body(): Promise<Uint8Array>
}

/** Pieces in which nodes send each other files are at most this large. */
const UPLOAD_BYTES = 9 * 1024 * 1024

export interface ApiDeps {
  /** Everything but the document about the API itself, which the API knows best. */
  readonly handlers: Omit<Handlers, 'openapi'>
  /** The node's own token (see access/). */
  readonly token: { matches(candidate: string): boolean }
  /** Who another node is, by what its request shows. @throws {ApiError} `unauthorized` */
  readonly authenticatePeer: (request: PeerRequest) => Promise<{ readonly node: NodeId; readonly protocol: number }>
  /** What whoever sends from there may do without a token; null: nothing. */
  readonly roleOf: (remote: PeerRequest['remote']) => Promise<Role | null>
  readonly pages: Pages
  readonly config: Config['api']
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  /** Hold every answer against its schema before it leaves; for tests and development. Default: false. */
  readonly checkAnswers?: boolean
}

/** A handler of any operation, its types forgotten: the table pairs each with its own operation. */
type AnyHandler = (input: unknown, call: Call) => Promise<unknown>

/**
 * The REST API. Every route comes from the table of operations and goes through the same steps, in this order:
 * Host, Origin, stopping, who calls and how often, path and method, token, body, validation, handler, answer.
 * Whatever fails is answered with a problem document (RFC 9457).
 */
export function createApplication(deps: ApiDeps, stopping: AbortSignal): Application {
  const { fetch } = createApp(deps, stopping)
  const answering = (env: Partial<Environment['Bindings']>) =>
    getRequestListener((request, bindings) => fetch(request, { ...(bindings as HttpBindings), ...env }), { errorHandler })
  return { answer: answering({}), answerNode: answering({ isForNodes: true }) }
}

// Only requests whose target or Host makes no URL come here, so nothing of ours can be meant.
const errorHandler = () =>
  problem(new ApiError('not_found', 'The request names no path of this API.'), `urn:uuid:${randomUUID()}`)

function createApp(deps: ApiDeps, stopping: AbortSignal): Hono<Environment> {
  const { config, log, version } = deps
  const rules = originRules(config)
  const limit = createRateLimit(config.requestsPerMinute, deps.clock)
  const answerDeps: AnswerDeps = {
    stopping,
    checkAnswers: deps.checkAnswers ?? false,
    clock: deps.clock,
    broken: cause => log.warn({ err: cause }, 'an answer broke off'),
  }
  const handlers = { ...deps.handlers, openapi: openApiHandler(version) } as unknown as Record<string, AnyHandler>

  // Wrong tokens share one allowance with no token, or guessing would not be limited.
  const ofAddress = (c: Exchange) => `${c.env.incoming.socket.remoteAddress} ${c.get('known')}`
  const charge = (caller: string) => {
    const wait = limit.take(caller)
    if (wait > 0) throw new ApiError('too_many_requests', 'This caller asks too often.', { retryAfterMs: wait })
  }
  /** A node that proves who it is has an allowance of its own, which strangers at its address cannot use up. */
  async function authenticated(c: Exchange, authenticate: () => ReturnType<ApiDeps['authenticatePeer']>) {
    try {
      const peer = await authenticate()
      charge(`node ${peer.node}`)
      return peer
    } catch (error) {
      if (isSigned(c) && error instanceof ApiError && error.code === 'unauthorized') {
        // Whoever is wrong has to connect anew: a signature costs more to check than to make up.
        c.set('extra', { ...c.get('extra'), connection: 'close' })
        charge(ofAddress(c))
      }
      throw error
    }
  }

  const app = new Hono<Environment>()
  app.use(async (c, next) => {
    c.set('extra', {})
    requireOurHost(c, rules)
    c.set('role', null)
    if (c.env.isForNodes && !isForNodes(c)) {
      charge(ofAddress(c))
      c.set('role', await deps.roleOf(remoteOf(c)))
      requireRole(c)
    }
    c.set('extra', cors(c, rules))
    if (stopping.aborted) {
      c.set('extra', { ...c.get('extra'), connection: 'close' })
      throw new ApiError('not_ready', 'This node is stopping.', { remedy: 'Try again once it has started anew.' })
    }
    const token = bearer(c)
    // The token is for this machine: where only a mesh is let in, what the mesh says counts.
    c.set('known', !c.env.isForNodes && token !== null && deps.token.matches(token))
    if (!isSigned(c) && c.get('role') === null) charge(ofAddress(c))
    await next()
  })

  for (const [name, operation] of Object.entries(operations) as [string, Operation][]) {
    const handler = handlers[name]
    if (!handler) throw new Error(`Operation "${name}" has no handler`)
    app.on(operation.method, operation.path, async c => {
      requireToken(c, operation)
      let arriving: Promise<Uint8Array> | undefined
      const body = () => {
        arriving ??= bodyOf(c, operation, config.bodyBytes)
        return arriving
      }
      const peer = operation.access === 'peer' ? await authenticated(c, () => deps.authenticatePeer(requestOf(c, body))) : null
      const bytes = await body()
      const { address: remoteAddress, port: remotePort } = remoteOf(c)
      const role = c.get('role')
      const caller = peer && { peer: peer.node, peerProtocol: peer.protocol }
      const call = { signal: c.req.raw.signal, remoteAddress, remotePort, ...(role && { role }), ...caller }
      return answer(c, operation, await handler(inputOf(c, operation, bytes), call), answerDeps, peer?.protocol)
    })
  }
  pageRoutes(app, deps.pages)
  for (const [path, methods] of methodsByPath()) app.all(path, c => otherMethod(c, methods))
  const refusals = createRefusals(deps)
  app.notFound(c => fail(c, new ApiError('not_found', `There is no ${c.req.path.slice(0, 200)} in this API.`), log, refusals))
  app.onError((thrown, c) => fail(c, asApiError(thrown), log, refusals))
  return app
}

function fail(c: Exchange, error: ApiError, log: Log, tellRefusal: (refusal: Refusal) => void): Response {
  const instance = `urn:uuid:${randomUUID()}`
  const what = { instance, method: c.req.method, path: c.req.path, code: error.code }
  if (error.code === 'internal') log.error({ ...what, err: error.cause ?? error }, 'a request failed')
  else log.debug({ ...what, detail: error.message }, 'a request was refused')
  if (c.req.path.startsWith('/v1/peer/'))
    tellRefusal({ ...what, remote: c.env.incoming.socket.remoteAddress, detail: error.message })
  // What is left of a body that was not read would be taken for the next request.
  const connection = error.code === 'body_too_large' ? { connection: 'close' } : {}
  return problem(error, instance, { ...c.get('extra'), ...connection })
}

function requireOurHost(c: Exchange, rules: OriginRules): void {
  const host = c.req.header('host')
  if (rules.host(host) || isForNodes(c) || (c.env.isForNodes && isOwnAddress(c))) return
  throw new ApiError('forbidden', `This node does not answer to the name "${(host ?? '').slice(0, 100)}".`, {
    remedy: 'Use its address, or list the name in api.allowedHosts.',
  })
}

/**
 * Nodes ask each other by whatever address they have, and show an assertion. What answers without one tells a page that was made to
 * look like ours (DNS rebinding) nothing but the name of the node; a page that sends something says its Origin.
 */
function isForNodes(c: Exchange): boolean {
  return c.req.path.startsWith('/v1/peer/') && c.req.header('origin') === undefined
}

/** Whether a request names the very address it came in by: a page that goes by a name of its own (DNS rebinding) does not. */
function isOwnAddress(c: Exchange): boolean {
  const { localAddress = '' } = c.env.incoming.socket
  const plain = localAddress.replace(/^::ffff:/, '')
  return c.req.header('host')?.replace(/:\d*$/, '') === (plain.includes(':') ? `[${plain}]` : plain)
}

/** @throws {ApiError} `forbidden` for what is not between nodes, where the connection came in for those and for whom a mesh lets */
function requireRole(c: Exchange): void {
  // A page would use the role of whoever looks at it.
  if (c.get('role') !== null && isOwnAddress(c) && c.req.header('origin') === undefined) return
  throw new ApiError('forbidden', 'At this address the node answers other nodes only.', {
    remedy:
      'Ask it on its own machine; or grant skein.dev/cap/api in the policy of the tailnet, or list the user in api.roles; or let it listen for everybody there (api.host).',
  })
}

function remoteOf(c: Exchange): PeerRequest['remote'] {
  const { remoteAddress: address, remotePort: port } = c.env.incoming.socket
  return { address, port }
}

/** @returns the CORS headers of every answer to this request. @throws {ApiError} `forbidden` for pages of unknown origin. */
function cors(c: Exchange, rules: OriginRules): Record<string, string> {
  const origin = c.req.header('origin')
  if (origin === undefined) return {}
  if (rules.origin(origin, c.req.header('host'))) return corsHeaders(origin)
  throw new ApiError('forbidden', `Pages of ${origin.slice(0, 100)} may not call this node.`, {
    remedy: 'List the origin in CORS_ALLOWED_ORIGINS.',
  })
}

/** RFC 6750; the scheme is not case-sensitive. */
const bearer = (c: Exchange): string | null => /^bearer +([^\s]+) *$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? null

/** Tokens of running jobs do not count here: a job reaches the node through its own gateway only. */
function requireToken(c: Exchange, operation: Operation): void {
  if (operation.access === 'open' || operation.access === 'peer' || c.get('known')) return
  const [role, needed] = [c.get('role'), roleFor(operation)]
  if (role !== null) {
    if (includes(role, needed)) return
    throw new ApiError('forbidden', `Your role at this node is ${role}, and this takes ${needed}.`, {
      remedy: 'Ask who keeps the policy of the tailnet (skein.dev/cap/api) or the settings of the node (api.roles).',
    })
  }
  throw new ApiError('unauthorized', bearer(c) === null ? 'No token was shown.' : 'This token is not known here.', {
    remedy: 'Send "Authorization: Bearer <token>"; the token is in the file "token" of the data directory.',
  })
}

async function bodyOf(c: Exchange, operation: Operation, maxBytes: number): Promise<Uint8Array> {
  if (!operation.upload && !operation.body) return new Uint8Array()
  requireType(c.env.incoming.headers, operation.upload ? 'application/octet-stream' : 'application/json')
  return readBody(c.env.incoming, operation.upload ? UPLOAD_BYTES : maxBytes)
}

/** Validates what was asked. */
function inputOf(c: Exchange, operation: Operation, bytes: Uint8Array): unknown {
  const body = operation.body ? parseJson(bytes) : undefined
  const header = (name: string) => c.req.header(name)
  const input = validate(operation, { params: c.req.param(), query: queryOf(c.req.url), header, body })
  return operation.upload ? { ...input, body: bytes } : input
}

/** What an assertion of another node is held against. */
function requestOf(c: Exchange, body: PeerRequest['body']): PeerRequest {
  const { pathname, search } = new URL(c.req.url)
  const authorization = c.req.header('authorization') ?? ''
  return { authorization, method: c.req.method, path: pathname + search, remote: remoteOf(c), body }
}

function queryOf(url: string): URLSearchParams {
  const start = url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1))
}

/** Whether a request is one that a node makes under its own name; its allowance is known once that is proved. */
function isSigned(c: Exchange): boolean {
  const { authorization = '' } = c.env.incoming.headers
  return authorization.startsWith('Skein ') && SIGNED.some(one => one.method === c.req.method && one.path.test(c.req.path))
}
const SIGNED = Object.values(operations)
  .filter(({ access }) => access === 'peer')
  .map(({ method, path }) => ({ method, path: new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+')}$`) }))

function methodsByPath(): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const { path, method } of Object.values(operations)) {
    const known = methods.get(path) ?? ['OPTIONS']
    methods.set(path, [...known, ...(method === 'GET' ? ['GET', 'HEAD'] : [method])])
  }
  return methods
}

/** Answers OPTIONS, a browser's preflight included, and refuses methods that a path does not take. */
function otherMethod(c: Exchange, methods: readonly string[]): Response {
  const allow = methods.toSorted().join(', ')
  if (c.req.method !== 'OPTIONS') {
    c.set('extra', { ...c.get('extra'), allow })
    throw new ApiError('method_not_allowed', `This path takes ${allow}.`)
  }
  const preflight = c.req.header('access-control-request-method') !== undefined && c.req.header('origin') !== undefined
  const wantsPrivate = c.req.header('access-control-request-private-network') === 'true'
  return reply(c, 204, null, { allow, ...(preflight ? preflightHeaders(methods, wantsPrivate) : {}) })
}

/** Made when first asked for: generating JSON Schema at the start would cost more than the start itself. */
function openApiHandler(version: string): Handlers['openapi'] {
  let made: Promise<{ openapi: string }> | undefined
  return async () => {
    made ??= import('./openapi.ts').then(({ openApiDocument }) => openApiDocument(operations, version))
    return { status: 200, body: await made }
  }
}
