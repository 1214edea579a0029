// Runs inside a sandbox, in front of the program: the way from the program's TCP to the gateway's unix socket.
//   node relay.mjs --listen 127.0.0.1:3128 --socket /run/skein/gateway.sock -- program argument…
// The program has the relay's own standard streams; not a byte of them passes through here.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { forward } from './forward.ts'

const EXIT_USAGE = 64
const EXIT_NOT_FOUND = 127

const { values, positionals } = parseArgs({
  options: { listen: { type: 'string' }, socket: { type: 'string' } },
  allowPositionals: true,
})
const [, host, port] = /^(.+):(\d+)$/.exec(values.listen ?? '') ?? []
const [program, ...argv] = positionals
if (!host || !port || !values.socket || !program) {
  console.error('usage: relay --listen HOST:PORT --socket PATH -- PROGRAM [ARGUMENT…]')
  process.exit(EXIT_USAGE)
}

await forward({ host, port: Number(port), socket: values.socket })

const child = spawn(program, argv, { stdio: 'inherit' })
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
child.on('error', error => {
  console.error(error.message)
  process.exit(EXIT_NOT_FOUND)
})
child.on('exit', (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)))
