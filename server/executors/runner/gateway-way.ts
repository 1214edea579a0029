import type { ClientHttp2Session } from 'node:http2'
import { connect } from 'node:net'

/** Streams that wait for a connection from inside. */
const WAITING = 8
const MOST_CONNECTIONS = 256

/** Joins what programs inside connect to with the gateway's socket: each stream that the runner answers is a connection. */
export function carryWayOut(session: ClientHttp2Session, socket: string): void {
  let waiting = 0
  let joined = 0

  const refill = () => {
    while (!session.destroyed && !session.closed && waiting < WAITING && joined < MOST_CONNECTIONS) open()
  }

  const open = () => {
    const near = session.request({ ':method': 'POST', ':path': '/way-out' }, { endStream: false })
    let answered = false
    waiting++
    near.on('error', () => {})
    near.once('response', () => {
      answered = true
      waiting--
      joined++
      const far = connect({ path: socket, allowHalfOpen: true })
      near.pipe(far).pipe(near)
      far.on('error', () => near.destroy())
      far.on('close', () => near.destroy())
      near.on('close', () => far.destroy())
      refill()
    })
    near.once('close', () => {
      if (answered) {
        joined--
        refill()
      }
      // One that was refused is not asked for again on this connection: a runner could keep us busy with that.
    })
  }
  refill()
}
