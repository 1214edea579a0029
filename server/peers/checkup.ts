import * as z from 'zod'
import { NodeId } from '#shared/model/index.ts'
import { hasAny, type KnownPeer, membershipIn, rightsNow } from './known-peers.ts'
import type { MeshMember, MeshView, PeerDirectory } from './peer-directory.ts'
import { PEER_CAPABILITY } from './rights.ts'

const MESH_MS = 5_000
const PEER_MS = 3_000
/** Assertions allow 30 s; HTTP tells the time in whole seconds. */
const SKEW_MS = 15_000

interface Finding {
  readonly what: string
  readonly fix: string
}

/** How this node stands with its mesh and its peers. */
export interface Checkup {
  readonly mesh: { readonly state: string; readonly detail: string }
  readonly problems: readonly Finding[]
}

export interface CheckupDeps {
  /** null when it is turned off. */
  readonly mesh: PeerDirectory | null
  readonly peers: readonly KnownPeer[]
  /** Nodes that the settings name, this one left out. */
  readonly listed?: readonly { readonly id: NodeId; readonly address: string }[]
  readonly now: () => number
  readonly fetch?: typeof globalThis.fetch
}

/** Looks at the mesh, at whether peers can be reached, at their clocks and at what lets jobs through. Changes nothing. */
export async function checkPeers(deps: CheckupDeps): Promise<Checkup> {
  const { mesh, peers } = deps
  const view = mesh && (await mesh.view(AbortSignal.timeout(MESH_MS)))
  const members = view?.state === 'running' ? view.members : []
  // One that is known was found already; of the others it is told why they are not.
  const missing = (deps.listed ?? [])
    .filter(({ id }) => !peers.some(peer => peer.id === id))
    .map(({ id, address }) => ({ id, name: new URL(address).host, address: new URL(address).origin }))
  const reached = await Promise.all([
    ...peers.map(peer => checkPeer(peer, memberOf(peer, mesh?.kind ?? '', members), deps)),
    ...missing.map(peer => checkPeer(peer, undefined, deps)),
  ])
  const found = { problems: [...reached.flat(), ...trustProblems(peers, mesh?.kind ?? null)] }
  if (!view) return { mesh: { state: 'off', detail: 'turned off by tailscale.socket' }, ...found }
  if (view.state === 'running')
    return { mesh: { state: view.state, detail: detailOf(view) }, problems: [...viewProblems(view), ...found.problems] }
  const { state, what, fix } = view
  // Many do without; those get to know it, and are not told to change it.
  const outage = state === 'absent' ? [] : [{ what, fix }]
  return { mesh: { state, detail: what }, problems: [...outage, ...found.problems] }
}

const memberOf = (peer: KnownPeer, mesh: string, members: readonly MeshMember[]) =>
  members.find(({ id }) => id === membershipIn(peer, mesh)?.id)

function detailOf({ self, members }: MeshView): string {
  const online = members.filter(({ isOnline }) => isOnline).length
  return `${self.name} as ${self.user ?? (self.tags.join(', ') || 'nobody')}; ${members.length} other machines, ${online} of them online`
}

function viewProblems({ hasInterface }: MeshView): Finding[] {
  if (hasInterface) return []
  return [
    {
      what: 'Tailscale runs without a network interface: other nodes reach this one, and it reaches none of them.',
      fix: 'Give tailscaled a TUN device, or let the server use its proxy: NODE_USE_ENV_PROXY=1 HTTP_PROXY=http://127.0.0.1:PORT.',
    },
  ]
}

type Checked = Pick<KnownPeer, 'id' | 'name' | 'address'>

async function checkPeer(peer: Checked, member: MeshMember | undefined, deps: CheckupDeps): Promise<Finding[]> {
  const { fetch = globalThis.fetch, now } = deps
  // That it is off is no fault, and nothing can be done about it from here.
  if (member && !member.isOnline) return []
  const { name, address } = peer
  try {
    const answer = await fetch(`${address}/v1/peer/node`, { redirect: 'error', signal: AbortSignal.timeout(PEER_MS) })
    const who = Who.safeParse(await answer.json().catch(() => null)).data?.node
    if (who !== peer.id) return [another(peer, who)]
    const theirs = Date.parse(answer.headers.get('date') ?? '')
    const skew = theirs - now()
    if (Number.isNaN(theirs) || Math.abs(skew) <= SKEW_MS) return []
    const direction = skew > 0 ? 'ahead of' : 'behind'
    return [
      {
        what: `The clock of ${name} is ${Math.round(Math.abs(skew) / 1000)} s ${direction} this one; requests between nodes allow 30 s.`,
        fix: 'Let both follow NTP, for instance by `timedatectl set-ntp true`.',
      },
    ]
  } catch (error) {
    return [unreachable(peer, member, error)]
  }
}

const Who = z.object({ node: NodeId })

function another({ id, name, address }: Checked, who: NodeId | undefined): Finding {
  if (who === undefined)
    return { what: `What answers at ${address} is no node.`, fix: `Start \`skein serve\` there, or mend the address of ${name}.` }
  return {
    what: `At ${address} there is node ${who}, and not ${id} (${name}).`,
    fix: `Mend the address or the id (fleet.peers; \`skein peers self\` there tells it), or pair the two anew: \`skein pair\`.`,
  }
}

function unreachable({ name, address }: Checked, member: MeshMember | undefined, error: unknown): Finding {
  const { host, port } = new URL(address)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if ((cause as NodeJS.ErrnoException).code === 'ECONNREFUSED')
    return {
      what: `${name} refuses connections at ${host}: the machine is there, but no node listens there.`,
      fix: 'There: `skein serve`, and `skein doctor` if it runs already.',
    }
  if (member)
    return {
      what: `${name} is online but cannot be reached at ${host}.`,
      fix: `Let the access rules of the tailnet allow it, such as {"src": [...], "dst": [...], "ip": ["tcp:${port}"]}; see \`tailscale ping ${name}\`.`,
    }
  return {
    what: `${name} cannot be reached at ${host}: ${cause instanceof Error ? cause.message : cause}`,
    fix: 'See whether it runs and listens there (--host), and whether a firewall is between the two.',
  }
}

function trustProblems(peers: readonly KnownPeer[], mesh: string | null): Finding[] {
  const barred = peers.flatMap(({ name, members }) =>
    members.some(member => member.barred === 'key_changed')
      ? [
          {
            what: `${name} has another key than before, and is not trusted.`,
            fix: `If that is right: \`skein peers trust ${name}\`.`,
          },
        ]
      : [],
  )
  const found = peers.filter(peer => mesh !== null && membershipIn(peer, mesh)?.barred === null)
  if (found.length === 0 || peers.some(peer => hasAny(rightsNow(peer, mesh === null ? [] : [mesh])))) return barred
  const grant = `"app": {"${PEER_CAPABILITY}": [{"runsOurs": true, "weRunTheirs": true}]}`
  return [
    ...barred,
    {
      what: `Nothing lets jobs go between this node and the ${found.length} it found.`,
      fix: `Grant it in the tailnet's policy ({"src": [...], "dst": [...], ${grant}}), list users or tags in fleet.accept and fleet.offer, or pair: \`skein pair\`.`,
    },
  ]
}
