import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { SandboxError } from '../index.ts'
import type { Door } from './door.ts'

/** An address of this machine, as `os.networkInterfaces` tells of it. */
export interface OwnAddress {
  readonly address: string
  readonly family: string
  readonly internal: boolean
}

export const ownAddresses = (): readonly OwnAddress[] => Object.values(networkInterfaces()).flatMap(list => list ?? [])

/**
 * Opens a door by TLS. An address of this machine is the only one listened at; where it is found out, or is somebody's who passes it on, all are.
 * @param setting that names address and port @throws {SandboxError}
 */
export async function listenForRunners(
  door: Door,
  { address, port }: { address: string; port: number },
  setting: string,
): ReturnType<Door['listenTls']> {
  const isOwn = isIP(address) !== 0 && ownAddresses().some(own => own.address === address)
  const tries = isOwn ? [address] : ['::', '0.0.0.0']
  let cause: unknown
  for (const host of tries) {
    try {
      return await door.listenTls({ host, port })
    } catch (error) {
      cause = error
    }
  }
  throw new SandboxError('unavailable', `Runners could not be listened for at port ${port}: ${(cause as Error).message}`, {
    cause,
    remedy: `Set \`${setting}.port\` to one that is free.`,
  })
}
