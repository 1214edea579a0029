import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface StubRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Parsed where it is JSON. */
  readonly body: unknown
}

/** An HTTP server on loopback that answers what a test says, and remembers what it was asked. */
export interface Stub extends AsyncDisposable {
  readonly url: string
  readonly requests: readonly StubRequest[]
}

export async function startStub(answer: (request: StubRequest, response: ServerResponse) => void | Promise<void>): Promise<Stub> {
  const requests: StubRequest[] = []
  const server = createServer((incoming, response) => {
    void text(incoming).then(body => {
      const { method = '', url: path = '', headers } = incoming
      const request = { method, path, headers, body: parse(body) }
      requests.push(request)
      return answer(request, response)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Answers in JSON. */
export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
