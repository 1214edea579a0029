// Runs in the network namespace of the cluster and is handed a socket that listens outside of it: the way of a test to the API server.
import { connect, type Server } from 'node:net'

const [host = '', port = ''] = process.argv.slice(2)
process.on('message', (_, handle) => {
  const server = handle as Server
  server.on('connection', outside => {
    const inside = connect(Number(port), host)
    outside.pipe(inside).pipe(outside)
    for (const [one, other] of [
      [outside, inside],
      [inside, outside],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
  })
  process.send?.('ready')
})
process.on('disconnect', () => process.exit())
