import { BlockList, isIP } from 'node:net'

/**
 * Where no name may lead: this machine, its neighbours, its tailnet (100.64.0.0/10), its cloud's metadata. IPv4: what the IANA
 * special-purpose registry (RFC 6890) does not call global, and multicast.
 */
const LOCAL_IPV4 = new BlockList()
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
  LOCAL_IPV4.addSubnet(network, bits, 'ipv4')
}

/**
 * IPv6 the other way round: only 2000::/3 is given out as global, so loopback, unique local (Tailscale's fd7a:115c:a1e0::/48 and
 * Amazon's fd00:ec2::254 among them), link-local, multicast, and the forms that carry an IPv4 address inside are out already.
 */
const GLOBAL_IPV6 = new BlockList()
GLOBAL_IPV6.addSubnet('2000::', 3, 'ipv6')
/** Parts of it that are not: protocol assignments (Teredo), 6to4, documentation. */
const RESERVED_IPV6 = new BlockList()
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  RESERVED_IPV6.addSubnet(network, bits, 'ipv6')
}

/** Whether an address is one of the public internet, which a name may lead to. What is no address is not. */
export function isPublicAddress(address: string): boolean {
  // BlockList does not look at zones ("fe80::1%eth0"); a zone is never public.
  if (address.includes('%')) return false
  switch (isIP(address)) {
    case 4:
      return !LOCAL_IPV4.check(address, 'ipv4')
    case 6:
      return GLOBAL_IPV6.check(address, 'ipv6') && !RESERVED_IPV6.check(address, 'ipv6')
    default:
      return false
  }
}
