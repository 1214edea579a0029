import { BlockList, isIP } from 'node:net'

/** A place a sandbox wants to reach. */
export interface Destination {
  /** Lower case, without brackets. */
  readonly host: string
  readonly port: number
}

/**
 * Addresses no name may lead to: this machine, its neighbours, its tailnet, its cloud's metadata. From the IANA special-purpose
 * registries (RFC 6890) and Tailscale's ranges (100.64.0.0/10, fd7a:115c:a1e0::/48, which is inside fc00::/7).
 */
const FORBIDDEN = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  FORBIDDEN.addSubnet(network, bits, 'ipv4')
}
// 64:ff9b::/96 and 2002::/16 carry an IPv4 address inside; so do the mapped ones, which BlockList looks through by itself.
for (const [network, bits] of [
  ['::', 128],
  ['::1', 128],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  FORBIDDEN.addSubnet(network, bits, 'ipv6')
}

/** Whether an address is one that names must not lead to. Anything that is not an address is. */
export function isForbiddenAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 0) return true
  return FORBIDDEN.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Reads `host`, `host:port`, `[v6]`, `[v6]:port`. @returns null for anything else. */
export function parseDestination(text: string, defaultPort: number): Destination | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/.exec(text)
  const host = (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '')
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  if (!host || port < 1 || port > 65_535 || (match?.[1] !== undefined && isIP(host) !== 6)) return null
  return { host, port }
}

/** How an entry lets a destination through: listed by its address, it may be private; by a name, it may not lead to a private one. */
export type Verdict = 'address' | 'name' | null

/** Entries are `host`, `*.host`, either with `:port`; without one, the ports of http and https. */
export function allows(entries: readonly string[], { host, port }: Destination): Verdict {
  const listed = entries.some(entry => {
    const [, pattern = '', entryPort] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
    if (entryPort === undefined ? port !== 80 && port !== 443 : port !== Number(entryPort)) return false
    return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1 : host === pattern
  })
  if (!listed) return null
  return isIP(host) === 0 ? 'name' : 'address'
}
