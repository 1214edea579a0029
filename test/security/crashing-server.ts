// Starts a program with a daemon in a sandbox, prints the program's identity, and waits to be killed.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { processExecutor } from '#server/executors/process/index.ts'
import { systemClock } from '#server/lib/clock.ts'
import { LIMITS } from '../contract/executor-workshop.ts'

const [nodeId = '', id = '', base = '', isolation] = process.argv.slice(2)
const executor = processExecutor({
  nodeId,
  directory: join(base, 'executor'),
  relayFile: '/nowhere',
  graceMs: 500,
  clock: systemClock,
  log: { warn() {} },
})
const workTree = join(base, 'work')
await mkdir(workTree)
const sandbox = await executor.prepare({
  id,
  workTree,
  scratch: join(base, 'scratch'),
  readOnly: [],
  env: {},
  limits: LIMITS,
  gatewaySocket: null,
  isolation: isolation === 'none' ? 'none' : 'sandbox',
})
const argv = ['sh', '-c', "trap '' TERM HUP; (setsid sleep 1000 &) ; echo ready; sleep 1000"]
const program = await sandbox.start({ argv, stdin: 'none', network: false })
program.stdout.once('data', () => console.log(JSON.stringify(program.identity)))
setInterval(() => {}, 1e6)
