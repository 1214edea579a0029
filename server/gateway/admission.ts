import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { ApiError } from '#shared/contract/index.ts'
import { isPublicAddress } from './addresses.ts'
import { allows, type Destination, parseDestination, show } from './allow-list.ts'
import type { GatewaySpec, Lookup } from './port.ts'

/** Names looked up at once for one sandbox: the system's resolver takes threads that the server's files need too. */
const MAX_LOOKUPS = 4
/** Refusals told of; a sandbox that tries every host there is would fill the event table. */
const MAX_TOLD = 100

/** A destination that was let through, and the addresses that may stand for it. */
export interface Route extends Destination {
  readonly addresses: readonly string[]
}

/** Lets destinations through that are on the list. */
export interface Admission {
  /** @throws {ApiError} `forbidden`; `provider_failed` when the name cannot be resolved */
  admit(target: string, defaultPort: number): Promise<Route>
}

const systemResolver: Lookup = name =>
  new Promise((resolve, reject) => {
    systemLookup(name, { all: true }, (error, addresses: LookupAddress[]) =>
      error ? reject(error) : resolve(addresses.map(({ address }) => address)),
    )
  })

/** The gate for hosts outside. What is not on the list is not even looked up, for a name asked for is a message sent. */
export function createAdmission(
  spec: Pick<GatewaySpec, 'allow' | 'guestAllow' | 'refused'>,
  lookup: Lookup = systemResolver,
): Admission {
  const told = new Set<string>()
  const asking = new Map<string, Promise<readonly string[]>>()

  function refuse(what: string, reason: string, remedy: string): ApiError {
    if (!told.has(what) && told.size < MAX_TOLD) {
      told.add(what)
      spec.refused(what, reason)
    }
    return new ApiError('forbidden', `The sandbox may not reach ${what}: ${reason}.`, { remedy })
  }

  /** All addresses of a name. Askers at the same time share one look-up; others wait for one of the few to end. */
  async function resolve(host: string): Promise<readonly string[]> {
    for (;;) {
      const shared = asking.get(host)
      if (shared) return shared
      if (asking.size < MAX_LOOKUPS) break
      await Promise.race([...asking.values()]).catch(() => {})
    }
    const answer = lookup(host).finally(() => asking.delete(host))
    asking.set(host, answer)
    return answer
  }

  return {
    async admit(target, defaultPort) {
      const destination = parseDestination(target, defaultPort)
      if (!destination) throw refuse(target.slice(0, 200), 'it is not a host and port', 'Ask for `host:port`.')
      const own = allows(spec.allow, destination)
      const verdict = own ?? allows(spec.guestAllow ?? [], destination)
      const shown = show(destination)
      if (verdict === null)
        throw refuse(shown, 'it is not on the allow-list of the job', `Submit the job with \`--allow ${shown}\` if it should.`)
      if (verdict === 'address' && own === null && !isPublicAddress(destination.host))
        throw refuse(
          shown,
          'it is a private address, which no job of another node reaches here',
          'Run the job on its own node (`--local`), or let the owner of this one list the address in jobs.networkAllow.',
        )
      if (verdict === 'address') return { ...destination, addresses: [destination.host] }
      const found = await resolve(destination.host).catch(cause => {
        throw new ApiError('provider_failed', `The name ${destination.host} could not be resolved.`, { cause })
      })
      const addresses = found.filter(isPublicAddress)
      if (addresses.length > 0) return { ...destination, addresses }
      throw refuse(
        shown,
        'its name leads to a private address',
        'A name may not lead into the own network. If the job should go there, allow the address itself and use it.',
      )
    },
  }
}

/** A resolver for one connection that knows the route's addresses only: a name is not looked up again, so no second answer can differ. */
export function pinned({ addresses }: Route): LookupFunction {
  const all = addresses.map(address => ({ address, family: isIP(address) }))
  return (_name, options, callback) => {
    const [first] = all
    if (options.all) callback(null, all)
    else callback(null, first?.address ?? '', first?.family)
  }
}
