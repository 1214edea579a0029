import { isPrivateEntry } from '#server/gateway/index.ts'
import type { Call } from '#server/lib/call.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { JobSpec } from '#shared/model/index.ts'

/**
 * Whoever is let in by a mesh may run jobs, not programs with the rights of this server, and not with a way into its network.
 * @throws {ApiError} `forbidden`
 */
export function requireRoleFor({ sandbox, network }: Pick<JobSpec, 'sandbox' | 'network'>, { role }: Pick<Call, 'role'>): void {
  if (role === undefined || role === 'admin') return
  if (sandbox === 'none')
    throw new ApiError('forbidden', `A job without a sandbox has the rights of this node, and your role here is ${role}.`, {
      remedy: 'Leave --no-sandbox out.',
    })
  const found = network.allow.find(isPrivateEntry)
  if (found !== undefined)
    throw new ApiError('forbidden', `${found} is an address of this node's own network, and your role here is ${role}.`, {
      remedy: 'Leave it out of --allow, or let the owner of the node list it in jobs.networkAllow.',
    })
}
