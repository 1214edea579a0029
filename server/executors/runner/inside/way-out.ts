import type { ServerHttp2Stream } from 'node:http2'
import { createServer, type Socket } from 'node:net'

/** Joins connections of programs to streams that the home keeps waiting for them. */
export interface WayOut {
  /** One more stream that waits for a connection. */
  offer(stream: ServerHttp2Stream): void
}

/** Listens on loopback. @throws {Error} when the port is taken. */
export async function openWayOut(port: number): Promise<WayOut> {
  const offered: ServerHttp2Stream[] = []
  const waiting: Socket[] = []
  const match = () => {
    while (waiting.length > 0) {
      const stream = offered.shift()
      if (!stream) return
      if (stream.destroyed) continue
      const near = waiting.shift()
      if (near && !near.destroyed) join(near, stream)
      else offered.unshift(stream)
    }
  }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, near => {
    near.on('error', () => near.destroy())
    waiting.push(near)
    match()
  })
  await new Promise<void>((resolve, reject) => {
    // Stays: a connection that cannot be accepted must not end the runner.
    server.on('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    offer(stream) {
      offered.push(stream)
      match()
    },
  }
}

function join(near: Socket, far: ServerHttp2Stream): void {
  far.respond({ ':status': 200 })
  near.pipe(far).pipe(near)
  near.on('close', () => far.destroy())
  far.on('error', () => near.destroy())
  far.on('close', () => near.destroy())
}
