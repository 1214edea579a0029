export { arrival } from './arrival.ts'
export { createDoor, type Door, type Visitor } from './door.ts'
export { createReception, type OwnAddress, ownAddresses } from './listen.ts'
export type { HomeAddress, RunnerToken } from './protocol.ts'
export type { RemoteSandbox, RemoteSandboxOptions } from './remote-sandbox.ts'
export { collectTree, treeLimits } from './sent-tree.ts'
export type { TreeLimits } from './tree/receive.ts'
export { sendTree } from './tree/send.ts'

/**
 * What a place runs: a shell that starts the runner and collects what programs leave behind, which as process 1 nobody else would, and
 * which Node.js does not.
 */
export const runnerCommand = (node: string, runner: string, tokenFile: string): readonly string[] => [
  '/bin/sh',
  '-c',
  '"$@" & wait $!',
  'sh',
  node,
  runner,
  tokenFile,
]
