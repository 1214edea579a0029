import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { WebSocket, WebSocketServer } from 'ws'
import { createSecrets } from '#server/access/index.ts'
import { attachStream } from '#server/api/index.ts'
import { systemClock } from '#server/lib/clock.ts'
import { createLogs, type Logs, type LogWriter } from '#server/logs/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import { decodeLogFrame } from '#shared/contract/index.ts'
import type { SideContext } from './bench.ts'

export const LOG_ID = '0000000000log1'
const TOKEN = 'a-token-of-at-least-32-characters'

/** The logs of a directory, and the writer of the one log that is measured, with secrets struck out as in earnest. */
export async function openLog(directory: string): Promise<{ logs: Logs; writer: LogWriter }> {
  const secrets = createSecrets()
  secrets.add(TOKEN, 'token')
  const logs = createLogs({ directory: join(directory, 'logs') })
  return { logs, writer: await logs.writer(LOG_ID, { maxBytes: 2 ** 40, redact: secrets.stream() }) }
}

async function listen(server: ReturnType<typeof createServer>, defer: SideContext['defer']): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  defer(() => void server.close())
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/stream`
}

async function connect(address: string, defer: SideContext['defer']): Promise<WebSocket> {
  const client = new WebSocket(address, { headers: { authorization: `Bearer ${TOKEN}` }, perMessageDeflate: false })
  defer(() => client.terminate())
  await once(client, 'open')
  return client
}

/** A client of the product's stream over these logs. */
export async function streamClient(logs: Logs, defer: SideContext['defer']): Promise<WebSocket> {
  const server = createServer()
  const never = async function* () {}
  const stream = attachStream(
    { server },
    {
      node: 'bench',
      token: { value: TOKEN, matches: candidate => candidate === TOKEN },
      config: { host: '127.0.0.1', allowedHosts: [], corsAllowedOrigins: [] },
      events: { follow: never, followAll: never },
      logs,
      isSealed: async () => false,
      jobExists: async () => true,
      lastSeq: async () => 0,
      peers: { follow: never },
      offers: { follow: never },
      modelOffers: { follow: never },
      clock: systemClock,
      log: createLog('silent'),
    },
  )
  const address = await listen(server, defer)
  defer(() => stream.close())
  return connect(address, defer)
}

/** A client of a bare ws server, and the server's end of it. */
export async function rawPair(defer: SideContext['defer']): Promise<{ client: WebSocket; peer: WebSocket }> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  const connected = once(sockets, 'connection')
  const client = await connect(await listen(server, defer), defer)
  const [peer] = (await connected) as [WebSocket]
  return { client, peer }
}

/** Sends, and waits while 1 MiB or more is on its way. */
export async function sendBounded(socket: WebSocket, data: string | Uint8Array): Promise<void> {
  if (socket.bufferedAmount < 1024 * 1024) socket.send(data)
  else await new Promise<void>(resolve => socket.send(data, () => resolve()))
}

export function subscribe(client: WebSocket, subscription: number, cursor = 0): void {
  client.send(JSON.stringify({ type: 'subscribe', subscription, topic: { name: 'log', jobId: LOG_ID }, cursor }))
}

/** Fulfils when `bytes` of a subscription's log have come. */
export function received(client: WebSocket, subscription: number, bytes: number): Promise<void> {
  let left = bytes
  return new Promise(resolve => {
    const count = (data: Buffer, isBinary: boolean) => {
      if (!isBinary) return
      const frame = decodeLogFrame(data)
      if (frame.subscription !== subscription) return
      left -= frame.bytes.byteLength
      if (left > 0) return
      client.off('message', count)
      resolve()
    }
    client.on('message', count)
  })
}
