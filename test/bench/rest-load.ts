// A caller with as little work of its own as possible, in a thread beside the server: sends the same request over a number of
// connections that are kept alive, each waiting for its answer before it asks again.
import { connect, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

export interface Load {
  readonly port: number
  readonly connections: number
  readonly warmUp: number
  readonly requests: number
  /** The whole request as it goes over the wire. */
  readonly request: string
}

const END_OF_HEAD = '\r\n\r\n'

/** Calls back with each status; answers carry a Content-Length. */
function onAnswers(socket: Socket, answered: (status: number) => void): void {
  let text = ''
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
    for (;;) {
      const head = text.indexOf(END_OF_HEAD)
      if (head < 0) return
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? Number.NaN)
      const end = head + END_OF_HEAD.length + length
      if (text.length < end) return
      const status = Number(text.slice(9, 12))
      text = text.slice(end)
      answered(status)
    }
  })
}

/** @returns requests a second. @throws when any is not accepted. */
async function send(sockets: readonly Socket[], requests: number, load: Load): Promise<number> {
  let begun = 0
  let done = 0
  const started = performance.now()
  await new Promise<void>((resolve, reject) => {
    for (const socket of sockets) {
      const next = () => {
        if (begun++ < requests) socket.write(load.request)
      }
      socket.removeAllListeners('data')
      onAnswers(socket, status => {
        if (status !== 202) reject(new Error(`A job was answered with ${status}`))
        if (++done === requests) resolve()
        next()
      })
      next()
    }
  })
  return (requests / (performance.now() - started)) * 1000
}

const load = workerData as Load
const sockets = await Promise.all(
  Array.from({ length: load.connections }, async () => {
    const socket = connect(load.port, '127.0.0.1').setNoDelay(true)
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return socket
  }),
)
await send(sockets, load.warmUp, load)
parentPort?.postMessage(await send(sockets, load.requests, load))
for (const socket of sockets) socket.destroy()
