import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands between two nodes and passes on what they say, until it is told not to. */
export interface Gate extends AsyncDisposable {
  readonly url: string
  /** Breaks every connection, and lets none in. */
  shut(): void
  open(): void
  /** Passes on the next requests to a path, and loses their answers. */
  loseAnswers(path: RegExp, times: number): void
  /** Does something before it passes on the next request to a path. */
  before(path: RegExp, act: () => Promise<unknown>): void
}

export async function startGate(target: string): Promise<Gate> {
  const { hostname, port } = new URL(target)
  const open = new Set<ServerResponse>()
  let isShut = false
  let losing = { path: /^$/, times: 0 }

  let first: { path: RegExp; act: () => Promise<unknown> } | null = null

  async function pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if (first?.path.test(incoming.url ?? '')) {
      const { act } = first
      first = null
      await act()
    }
    if (isShut) return void response.destroy()
    const isLost = losing.times > 0 && losing.path.test(incoming.url ?? '')
    if (isLost) losing.times -= 1
    open.add(response)
    const { method, url: path, headers } = incoming
    const onward = request({ hostname, port, method, path, headers: { ...headers, host: `${hostname}:${port}` } }, answer => {
      if (isLost) {
        answer.resume()
        answer.once('end', () => response.destroy())
        return
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
      answer.once('error', () => response.destroy())
    })
    onward.once('error', () => response.destroy())
    response.once('close', () => {
      open.delete(response)
      onward.destroy()
    })
    incoming.pipe(onward)
  }

  const server = createServer((incoming, response) => void pass(incoming, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    shut() {
      isShut = true
      for (const response of open) response.destroy()
    },
    open() {
      isShut = false
    },
    loseAnswers(path, times) {
      losing = { path, times }
    },
    before(path, act) {
      first = { path, act }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
