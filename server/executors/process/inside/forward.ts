import { connect, createServer, type Server } from 'node:net'

/** Listens on loopback and joins each connection to one of the unix socket, both ways, each at the other's pace. */
export function forward(options: { host: string; port: number; socket: string }): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, near => {
    const far = connect({ path: options.socket, allowHalfOpen: true })
    near.pipe(far).pipe(near)
    // One side's failure is the other side's end; there is nobody else to tell.
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  return new Promise((resolve, reject) => {
    // Stays: a connection that cannot be accepted for want of descriptors must not end the server.
    server.on('error', reject)
    server.listen(options.port, options.host, () => resolve(server))
  })
}
