import { isIP } from 'node:net'
import { isPublicAddress } from './addresses.ts'

/** A place a sandbox wants to reach. */
export interface Destination {
  /** Lower case, without brackets; an IPv6 address in its one canonical form. */
  readonly host: string
  readonly port: number
}

/** The longest name there is; RFC 1035, 2.3.4. */
const MAX_NAME = 253
/** Ports an entry without a port lets through: http and https. */
const WEB_PORTS = [80, 443]
const HOST_AND_PORT = /^(?:\[(?<address>[0-9a-fA-F:.]+)\]|(?<name>(?:\*\.)?[A-Za-z0-9.-]+))(?::(?<port>\d{1,5}))?$/

interface Parts {
  readonly host: string
  readonly port: number | null
}

function parse(text: string): Parts | null {
  const groups = HOST_AND_PORT.exec(text)?.groups
  if (!groups) return null
  const port = groups.port === undefined ? null : Number(groups.port)
  if (port !== null && (port < 1 || port > 65_535)) return null
  if (groups.address !== undefined) {
    if (isIP(groups.address) !== 6) return null
    // The URL parser writes an address in the one form of RFC 5952, so that two spellings compare equal.
    return { host: new URL(`http://[${groups.address}]/`).hostname.slice(1, -1), port }
  }
  const host = groups.name?.toLowerCase().replace(/\.$/, '')
  return host && host.length <= MAX_NAME ? { host, port } : null
}

/** Reads `host`, `host:port`, `[v6]`, `[v6]:port`. @returns null for anything else. */
export function parseDestination(text: string, defaultPort: number): Destination | null {
  const parts = parse(text)
  if (!parts || parts.host.includes('*')) return null
  return { host: parts.host, port: parts.port ?? defaultPort }
}

/** How an entry lets a destination through: listed by its address, it may be private; by a name, it may not lead to a private one. */
export type Verdict = 'address' | 'name' | null

/** Entries are `host`, `*.host` (not the host itself), either with `:port`; without one, the ports of http and https. */
export function allows(entries: readonly string[], { host, port }: Destination): Verdict {
  const isAddress = isIP(host) !== 0
  const listed = entries.some(text => {
    const entry = parse(text)
    if (!entry || !(entry.port === null ? WEB_PORTS : [entry.port]).includes(port)) return false
    // A wildcard is for names below a name; 10.0.0.1 is not below 0.0.1.
    if (entry.host.startsWith('*.')) return !isAddress && host.endsWith(entry.host.slice(1)) && host.length >= entry.host.length
    return host === entry.host
  })
  if (!listed) return null
  return isAddress ? 'address' : 'name'
}

/** Whether an entry is an address that is not of the public internet. A name is none: it may not lead to one anyway. */
export function isPrivateEntry(entry: string): boolean {
  const host = parse(entry)?.host ?? ''
  return isIP(host) !== 0 && !isPublicAddress(host)
}

/** A destination as it is written, ports of the web left out: what a person would put on the list. */
export function show({ host, port }: Destination): string {
  const name = isIP(host) === 6 ? `[${host}]` : host
  return WEB_PORTS.includes(port) ? name : `${name}:${port}`
}
