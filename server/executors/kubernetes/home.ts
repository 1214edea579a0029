import { connect } from 'node:net'
import type { KubernetesConfig } from '#shared/model/index.ts'
import { SandboxError } from '../index.ts'
import type { OwnAddress } from '../runner/index.ts'

/** More are not tried: a runner tries one after another, and each that leads nowhere takes seconds. */
const MOST_HOMES = 6
const DIAL_MS = 2_000
const LINK_LOCAL = /^(?:169\.254\.|fe[89ab][0-9a-f]:)/i
/** Addresses of tailnets: 100.64.0.0/10 and Tailscale's own prefix. */
const TAILNET = /^(?:100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|fd7a:115c:a1e0:)/i

/**
 * Where pods may reach this node, the likeliest first: what the settings say; else the address by which this machine reaches the cluster,
 * its other addresses, those of the tailnet last. In a cluster the first is the pod's own, or that of the service that stands before it.
 * @param towards the address this machine has on the way to the API server; null when that is not known
 * @throws {SandboxError} when there is none
 */
export function homeAddresses(
  { address }: Pick<KubernetesConfig['home'], 'address'>,
  { own, towards }: { own: readonly OwnAddress[]; towards: string | null },
): readonly string[] {
  if (address !== 'auto') return [address]
  const known = own.filter(({ internal, address }) => !internal && !LINK_LOCAL.test(address))
  const rank = ({ address, family }: OwnAddress): number =>
    address === towards ? 0 : TAILNET.test(address) ? 3 : family === 'IPv4' ? 1 : 2
  const sorted = known.toSorted((one, other) => rank(one) - rank(other)).map(({ address }) => address)
  if (sorted.length > 0) return sorted.slice(0, MOST_HOMES)
  throw new SandboxError('unavailable', 'This machine has no address that pods could reach it by', {
    remedy: 'Set `executors.kubernetes.home.address`.',
  })
}

/** The address of this machine on the way to a server; null when it is not reached, or reached by loopback. */
export function addressTowards(server: string): Promise<string | null> {
  const { hostname, port, protocol } = new URL(server)
  return new Promise(resolve => {
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || (protocol === 'http:' ? 80 : 443)),
      timeout: DIAL_MS,
    })
    const answer = (address: string | null) => {
      socket.destroy()
      resolve(address)
    }
    socket.once('connect', () => answer(socket.localAddress?.replace(/^::ffff:/, '') ?? null))
    socket.once('timeout', () => answer(null))
    socket.once('error', () => answer(null))
  })
}
