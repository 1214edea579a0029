import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'
import { sha256 } from '#server/peers/index.ts'
import { proofOf } from '#server/peers/pairing.ts'
import { type Client, type NodeInfo, type Operation, operations } from '#shared/contract/index.ts'
import type { AttemptReport, Award, Bid, NodeId } from '#shared/model/index.ts'
import { makeIdentity } from './identity.ts'

/** A question another node asked. */
export interface Asked {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Buffer
  readonly incoming: IncomingMessage
}

/** Answers a question with a document, or in its own way; then it returns nothing. */
export type Answer = (asked: Asked, response: ServerResponse) => unknown
type Name = keyof typeof operations

/** What an assertion says, to be changed. */
export interface Assertion {
  readonly issuer: NodeId
  readonly audience: NodeId
  readonly method: string
  readonly path: string
  readonly body: string
  /** s since 1970. */
  readonly issuedAt: number
  readonly lifeS: number
  readonly id: string
}

/** Another node over the real wire, with a key of its own, that says what a test wants it to say. */
export interface FakePeer extends AsyncDisposable {
  readonly id: NodeId
  readonly info: NodeInfo
  readonly url: string
  /** Names of the operations it was asked, in their order. */
  readonly asked: readonly Name[]
  answer(name: Name, how: Answer): void
  /** Has a home give it jobs. */
  join(home: Client): Promise<void>
  /** Has a worker take its jobs, by a code that one showed. @returns what the worker answered */
  pair(url: string, code: string, said?: Partial<NodeInfo>): Promise<Response>
  /** Signs a request, truly unless told otherwise. */
  sign(
    to: NodeId,
    request: { method: string; path: string; body?: string | Uint8Array },
    lie?: Partial<Assertion>,
  ): Promise<string>
  /** Asks another node, truly unless told otherwise. */
  ask(to: { url: string; id: NodeId }, request: Ask, lie?: Partial<Assertion>): Promise<Response>
}

export interface Ask {
  readonly method: string
  readonly path: string
  readonly body?: string | Uint8Array
}

const CODE = 'AAAA-BBBB-CCCC-DDDD-EEEE'
const PROTOCOL = { min: 1, max: 1 }

/** Honest as far as it goes: it bids for everything, takes every award, and says that it runs for ever. */
export async function startFakePeer(name: string): Promise<FakePeer> {
  const { nodeId, publicKey, privateKey } = makeIdentity()
  const info: NodeInfo = { node: nodeId, name, publicKey, version: '0.1.0', protocol: PROTOCOL }
  const asked: Name[] = []
  const answers = new Map<Name, Answer>(Object.entries(honest(info)) as [Name, Answer][])

  const server = createServer((incoming, response) => {
    void answer(incoming, response).catch(() => response.destroy())
  })
  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://fake')
    const found = route(incoming.method ?? '', url.pathname)
    const how = found && answers.get(found.name)
    if (!found || !how) return json(response, 404, problem('not_found', 'There is no such path.'))
    asked.push(found.name)
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const said = await how({ params: found.params, query: url.searchParams, body: Buffer.concat(pieces), incoming }, response)
    if (said !== undefined) json(response, 200, said)
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const peer: FakePeer = {
    id: nodeId,
    info,
    url,
    asked,
    answer: (operation, how) => void answers.set(operation, how),
    async join(home) {
      await home.addPeer({ body: { address: url, code: CODE } })
    },
    async pair(address, code, said = {}) {
      const caller = { ...info, ...said }
      const callee = (await (await fetch(`${address}/v1/peer/node`)).json()) as NodeInfo
      const nonce = randomUUID()
      const proof = proofOf(code, 'caller', { caller, callee, nonce })
      const body = JSON.stringify({ node: caller, port: Number(new URL(url).port), nonce, proof })
      return fetch(`${address}/v1/peer/pair`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    },
    async sign(to, { method, path, body = '' }, lie = {}) {
      const issuedAt = Math.floor(Date.now() / 1000)
      const said: Assertion = {
        ...{ issuer: nodeId, audience: to, method, path, body: sha256(body), issuedAt, lifeS: 30, id: randomUUID() },
        ...lie,
      }
      const token = await new SignJWT({ method: said.method, path: said.path, body: said.body })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'skein-request+jwt', jwk: { kty: 'OKP', crv: 'Ed25519', x: publicKey } })
        .setIssuer(said.issuer)
        .setAudience(said.audience)
        .setIssuedAt(said.issuedAt)
        .setExpirationTime(said.issuedAt + said.lifeS)
        .setJti(said.id)
        .sign(privateKey)
      return `Skein ${token}`
    },
    async ask(to, request, lie) {
      const type = typeof request.body === 'string' ? 'application/json' : 'application/octet-stream'
      return fetch(to.url + request.path, {
        method: request.method,
        headers: { authorization: await peer.sign(to.id, request, lie), 'content-type': type },
        ...(request.body === undefined ? {} : { body: request.body as string }),
      })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return peer
}

const problem = (code: string, detail: string) => ({ type: 'about:blank', title: code, status: 400, detail, code })

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function route(method: string, path: string): { name: Name; params: Record<string, string> } | null {
  for (const [name, operation] of Object.entries(operations) as [Name, Operation][]) {
    if (operation.method !== method) continue
    const pattern = new RegExp(`^${operation.path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
    const found = pattern.exec(path)
    if (found) return { name, params: { ...found.groups } }
  }
  return null
}

/** What it answers until it is told otherwise. */
function honest(info: NodeInfo): Partial<Record<Name, Answer>> {
  const ok = () => ({ ok: true })
  return {
    nodeInfo: () => info,
    pair: ({ body }) => {
      const { node: caller, nonce } = JSON.parse(body.toString()) as { node: NodeInfo; nonce: string }
      return { node: info, proof: proofOf(CODE, 'callee', { caller, callee: info, nonce }) }
    },
    tellAddress: ok,
    card: () => cardOf(info),
    announce: () => bidOf(),
    releaseBid: ok,
    award: ({ body }) => ({ needsSnapshot: (JSON.parse(body.toString()) as Award).snapshot !== null, mark: performance.now() }),
    shipSnapshot: ({ query, body }) => ({ bytes: Number(query.get('offset')) + body.byteLength }),
    renew: async ({ body }) => {
      const { waitMs } = JSON.parse(body.toString()) as { waitMs: number }
      await new Promise(resolve => setTimeout(resolve, Math.min(waitMs, 200)))
      return reportOf()
    },
    attemptLog: (_, response) => void response.writeHead(200).end(),
    settleAttempt: ok,
    answerForAttempt: ok,
  }
}

let seq = Date.now()
/** As a node of protocol 1 tells it. */
export function cardOf({ node, name, version, protocol }: NodeInfo): Record<string, unknown> {
  return {
    ...{ node, name, version, protocol, seq: ++seq, slots: 8, busy: 0, queued: 0 },
    capacity: { cpuCores: 8, memoryBytes: 2 ** 34, storageBytes: 2 ** 34, gpuCount: 0, labels: {} },
    executors: [{ kind: 'process', isolation: 'process' }],
    agents: ['command'],
    models: [],
    repositories: [],
    draining: false,
  }
}

export function bidOf(terms: Record<string, unknown> = {}): Bid {
  const promised = {
    ...{ startMs: 0, runMs: null, modelLoaded: true, repositoryCached: true, haves: [], executor: 'process' },
    ...{ isolation: 'process', load: 0 },
    ...terms,
  }
  return { kind: 'bid', bidId: randomUUID(), ttlMs: 3_000, terms: promised as never }
}

export const reportOf = (report: Partial<AttemptReport> = {}): AttemptReport => ({
  ...{ state: 'placing', events: [], logBytes: 0, mark: performance.now(), end: null, bundle: null },
  ...report,
})
