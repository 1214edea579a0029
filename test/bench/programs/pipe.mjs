// Pipes what a program prints into the first client of a ws server; prints the address first. Arguments: the program.
import { spawn } from 'node:child_process'
import { WebSocketServer } from 'ws'

const [command = '', ...args] = process.argv.slice(2)
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('listening', () => process.stdout.write(`ws://127.0.0.1:${server.address().port}\n`))
server.once('connection', socket => void pipe(socket))

async function pipe(socket) {
  const { stdout } = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const piece of stdout) {
    if (socket.bufferedAmount < 1024 * 1024) socket.send(piece)
    else await new Promise(resolve => socket.send(piece, resolve))
  }
}
