import { createServer } from 'node:net'
import { startNode, type TestNode } from './node.ts'

/** A port that was free a moment ago: a node must be found at the same address after a restart. */
function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** A node with a name, at an address that it keeps over restarts. */
export async function fleetNode(
  name: string,
  flags: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<TestNode> {
  return startNode({ 'node.name': name, 'api.port': await freePort(), ...flags }, env)
}

/** Lets one node give its jobs to another. @param address where the other is asked, when that is not where it listens */
export async function pair(home: TestNode, worker: TestNode, address = worker.url): Promise<void> {
  const { code } = await worker.client.createPairingCode()
  await home.client.addPeer({ body: { address, code } })
}
