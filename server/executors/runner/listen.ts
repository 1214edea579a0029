import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { doneOnce } from '#server/lib/done-once.ts'
import { SandboxError } from '../index.ts'
import type { Door } from './door.ts'
import type { HomeAddress } from './protocol.ts'

/** An address of this machine, as `os.networkInterfaces` tells of it. */
export interface OwnAddress {
  readonly address: string
  readonly family: string
  readonly internal: boolean
}

export const ownAddresses = (): readonly OwnAddress[] => Object.values(networkInterfaces()).flatMap(list => list ?? [])

/** A runner's way to a host and port of this machine. */
type TlsHome = Extract<HomeAddress, { readonly host: string }>

/** A door that stands open by TLS from the first time somebody is told where it is. */
export interface Reception {
  /** Where runners find it, by these hosts. @throws {SandboxError} when it cannot be opened; the next time it is tried again */
  homesAt(hosts: readonly string[]): Promise<readonly TlsHome[]>
  close(): void
}

/** @param at what the settings say @param setting the name of those settings */
export function createReception(door: Door, at: { address: string; port: number }, setting: string): Reception {
  let opened: Awaited<ReturnType<Door['listenTls']>> | null = null
  let isClosed = false
  const open = doneOnce(async () => {
    opened = await listenForRunners(door, at, setting)
    if (isClosed) opened.close()
    return opened
  })
  return {
    async homesAt(hosts) {
      const { port, fingerprint } = await open()
      return hosts.map(host => ({ host, port, fingerprint }))
    },
    close() {
      isClosed = true
      opened?.close()
    },
  }
}

/**
 * Opens a door by TLS. An address of this machine is the only one listened at; where it is found out, or is somebody's who passes it on, all are.
 * @param setting that names address and port @throws {SandboxError}
 */
async function listenForRunners(
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
