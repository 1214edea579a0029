import * as z from 'zod'
import type { MeshCaller, MeshMember } from '../peer-directory.ts'

/**
 * What is read of LocalAPI's answers (`ipn/ipnstate`, `client/tailscale/apitype` and `ipn` of tailscale.com). Go writes empty lists
 * as null, and each version adds fields: what is not listed here is dropped. Made when the first answer is read: not every machine is
 * on a tailnet.
 */
const Names = z.lazy(() =>
  z
    .array(z.string())
    .nullish()
    .transform(list => list ?? []),
)

const Peer = z.lazy(() =>
  z.object({
    ID: z.string(),
    HostName: z.string(),
    DNSName: z.string(),
    UserID: z.number(),
    TailscaleIPs: Names,
    Tags: Names,
    Online: z.boolean().default(false),
    Expired: z.boolean().default(false),
    ShareeNode: z.boolean().default(false),
  }),
)
type Peer = z.infer<typeof Peer>

const UserProfile = z.lazy(() => z.object({ LoginName: z.string() }))

/** `/localapi/v0/status`, `tailscale status --json` */
export const Status = z.lazy(() =>
  z.object({
    Version: z.string(),
    TUN: z.boolean().default(true),
    BackendState: z.string(),
    Self: Peer.nullish(),
    Peer: z
      .record(z.string(), Peer)
      .nullish()
      .transform(peers => Object.values(peers ?? {})),
    User: z
      .record(z.string(), UserProfile)
      .nullish()
      .transform(users => users ?? {}),
  }),
)
export type Status = z.infer<typeof Status>

/** `/localapi/v0/whois`, `tailscale whois --json` */
export const WhoIs = z.lazy(() =>
  z.object({
    Node: z.object({ StableID: z.string().min(1), Name: z.string(), Addresses: Names, Tags: Names }),
    UserProfile,
    CapMap: z
      .record(z.string(), z.array(z.unknown()).nullish())
      .nullish()
      .transform(grants => grants ?? {}),
  }),
)
export type WhoIs = z.infer<typeof WhoIs>

/** A line of `/localapi/v0/watch-ipn-bus`: which parts it has is all that is read, and that by what is there. */
export const Notify = z.lazy(() => z.record(z.string(), z.unknown()))

/** Parts of a notification that can change who is there, under what address, or what the policy grants. */
const CHANGES = ['State', 'SelfChange', 'PeersChanged', 'PeersRemoved', 'PeerChangedPatch', 'NetMap']

export const isChange = (notify: z.infer<typeof Notify>): boolean =>
  CHANGES.some(part => notify[part] !== undefined && notify[part] !== null)

/** Machines of Mullvad's, which a tailnet may list by the hundred; none is a node. */
const EXIT_NODE_TAG = 'tag:mullvad-exit-node'

export function membersOf(status: Status): MeshMember[] {
  return status.Peer.filter(peer => !peer.ShareeNode && !peer.Expired && !peer.Tags.includes(EXIT_NODE_TAG))
    .filter(peer => peer.ID !== '' && peer.TailscaleIPs.length > 0)
    .map(peer => memberOf(peer, status))
}

export function memberOf(peer: Peer, { User }: Pick<Status, 'User'>): MeshMember {
  return {
    id: peer.ID,
    name: firstLabel(peer.DNSName) || peer.HostName,
    addresses: ipv4First(peer.TailscaleIPs),
    // A machine with tags belongs to nobody, whatever profile the control server puts in its place.
    user: peer.Tags.length > 0 ? null : (User[String(peer.UserID)]?.LoginName ?? null),
    tags: peer.Tags,
    isOnline: peer.Online,
  }
}

export function callerOf({ Node, UserProfile: { LoginName }, CapMap }: WhoIs): MeshCaller {
  return {
    id: Node.StableID,
    name: firstLabel(Node.Name),
    addresses: ipv4First(Node.Addresses.map(prefix => prefix.replace(/\/\d+$/, ''))),
    user: Node.Tags.length > 0 ? null : LoginName,
    tags: Node.Tags,
    grants: Object.fromEntries(Object.entries(CapMap).map(([name, values]) => [name, values ?? []])),
  }
}

const firstLabel = (name: string): string => name.split('.')[0] ?? ''
const ipv4First = (addresses: readonly string[]): string[] =>
  addresses.toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
