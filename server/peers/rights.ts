import * as z from 'zod'
import { type Config, highest, ROLES, Role } from '#shared/model/index.ts'
import type { MeshCaller, MeshMember } from './peer-directory.ts'

/** What two nodes do for each other, as one of them sees it. */
export interface Rights {
  /** Whether jobs of this node are offered to the other. */
  readonly runsOurs: boolean
  /** Whether this node takes jobs of the other. */
  readonly weRunTheirs: boolean
}

export const NO_RIGHTS: Rights = { runsOurs: false, weRunTheirs: false }

/** Capability by which the policy of a mesh says what a node may; both of its values are as the node that is asked sees them. */
export const PEER_CAPABILITY = 'skein.dev/cap/peer'

const PeerGrant = z.object({ runsOurs: z.boolean().default(false), weRunTheirs: z.boolean().default(false) })

/** What the owner of this node laid down for users and tags of its mesh. */
export type MeshRules = { readonly accept: Members; readonly offer: Members }
type Members = Config['fleet']['offer']

/**
 * What a member of the mesh may, by the mesh's policy, by this node's settings, and because it belongs to the same person. The last
 * never makes this node take jobs: default is nobody's.
 * @param self the member that this node is
 */
export function rightsOf(caller: MeshCaller, self: Pick<MeshMember, 'user'>, rules: MeshRules): Rights {
  const grants = (caller.grants[PEER_CAPABILITY] ?? []).flatMap(value => PeerGrant.safeParse(value).data ?? [])
  const isOurs = caller.user !== null && caller.user === self.user
  return {
    runsOurs: isOurs || isListed(caller, rules.offer) || grants.some(({ runsOurs }) => runsOurs),
    weRunTheirs: isListed(caller, rules.accept) || grants.some(({ weRunTheirs }) => weRunTheirs),
  }
}

/** Capability by which the policy of a mesh says what a person or a machine may do by the API of this node. */
export const API_CAPABILITY = 'skein.dev/cap/api'

const ApiGrant = z.object({ role: Role })

/** What a member of the mesh may do by the API, by the mesh's policy and by this node's settings; null: nothing. */
export function roleOf(caller: MeshCaller, rules: Config['api']['roles']): Role | null {
  const granted = (caller.grants[API_CAPABILITY] ?? []).flatMap(value => ApiGrant.safeParse(value).data?.role ?? [])
  const listed = ROLES.filter(role => isListed(caller, rules[role]))
  return highest([...granted, ...listed])
}

const isListed = ({ user, tags }: Pick<MeshMember, 'user' | 'tags'>, list: MeshRules['accept']): boolean =>
  (user !== null && list.users.includes(user)) || tags.some(tag => list.tags.includes(tag))

export const union = (one: Rights, other: Rights): Rights => ({
  runsOurs: one.runsOurs || other.runsOurs,
  weRunTheirs: one.weRunTheirs || other.weRunTheirs,
})
