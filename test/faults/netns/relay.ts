import { rmSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'

/**
 * A program that carries TCP between a socket here and an address there: slowly, and with breaks, if it is told to. Told by messages
 * of its parent; it ends with it.
 */
export interface Route {
  readonly name: string
  /** A path of a Unix socket, or a port on every address. */
  readonly listen: string | number
  readonly to: { readonly address: string; readonly port: number }
  /** Each way, ms. */
  readonly delayMs?: number
  /** Connections break after as many bytes in either direction. */
  readonly breakAfterBytes?: number
}

const routes = new Map<string, Route>()

/** Passes bytes on in their order, each piece after its delay; a reader that is slow makes the sender wait. */
function carry(from: Socket, to: Socket, { delayMs = 0 }: Route, count: (bytes: number) => void): void {
  from.on('data', piece => {
    from.pause()
    setTimeout(() => {
      count(piece.byteLength)
      if (to.destroyed) return
      if (to.write(piece)) from.resume()
      else to.once('drain', () => from.resume())
    }, delayMs)
  })
  from.once('end', () => setTimeout(() => to.end(), delayMs))
  for (const event of ['error', 'close'] as const) from.once(event, () => to.destroy())
}

function open(name: string, { listen }: Route): void {
  const server = createServer({ allowHalfOpen: true }, near => {
    const route = routes.get(name)
    if (!route) return near.destroy()
    const far = createConnection({ host: route.to.address, port: route.to.port, allowHalfOpen: true })
    let left = route.breakAfterBytes ?? Number.POSITIVE_INFINITY
    const count = (bytes: number) => {
      left -= bytes
      if (left < 0) for (const end of [near, far]) end.resetAndDestroy()
    }
    carry(near, far, route, count)
    carry(far, near, route, count)
  })
  if (typeof listen === 'string') rmSync(listen, { force: true })
  server.listen(listen, () => process.send?.({ listening: name }))
}

process.on('message', (route: Route) => {
  const isNew = !routes.has(route.name)
  routes.set(route.name, route)
  if (isNew) open(route.name, route)
  else process.send?.({ listening: route.name })
})
process.on('disconnect', () => process.exit())
