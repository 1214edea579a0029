import {
  ApiError,
  type Carrier,
  type Client,
  createClient,
  type Operation,
  operationNames,
  operations,
} from '#shared/contract/index.ts'
import { downgrade } from '#shared/model/index.ts'
import { type Addressee, unreachable } from './unreachable.ts'

/** How two nodes come to understand each other. */
export interface Manners {
  /** The protocol to speak with a node. Default: the first, which all know. */
  readonly protocolWith?: (peer: Addressee) => Promise<number>
  /** A node does not know our key. @returns whether it knows it now */
  readonly introduce?: (peer: Addressee) => Promise<boolean>
}

type Arguments = { readonly body?: unknown }
type AnyClient = Record<string, (args: unknown, options: unknown) => Promise<unknown>>
const FIRST_PROTOCOL = 1

/** The operations of another node over any carrier, in the words of the protocol that both speak. */
export function clientOver(
  carrierFor: (protocol: number) => Carrier,
  peer: Addressee,
  { protocolWith, introduce }: Manners,
): Client {
  const clients = new Map<number, AnyClient>()
  const speaking = (protocol: number): AnyClient => {
    const client = clients.get(protocol) ?? (createClient(carrierFor(protocol), null) as unknown as AnyClient)
    clients.set(protocol, client)
    return client
  }

  async function call(name: string, operation: Operation, args: Arguments, options: unknown): Promise<unknown> {
    const protocol = (await protocolWith?.(peer)) ?? FIRST_PROTOCOL
    if ((operation.since ?? FIRST_PROTOCOL) > protocol && protocolWith)
      throw new ApiError('not_found', `${peer.name} speaks protocol ${protocol}, which does not have this.`, {
        remedy: `Update Skein on ${peer.name}.`,
      })
    const body = operation.body ? { body: downgrade(operation.body, args.body, protocol) } : {}
    const ask = async () => speaking(protocol)[name]?.({ ...args, ...body }, options)
    try {
      return await ask()
    } catch (error) {
      // Our key may be new, and the other may not have heard of that.
      const isStranger = error instanceof ApiError && error.code === 'unauthorized'
      if (isStranger && (await introduce?.(peer))) return ask()
      throw error
    }
  }

  const calls = operationNames.map(name => [
    name,
    (args: Arguments = {}, options?: unknown) =>
      call(name, operations[name], args, options).catch(cause => Promise.reject(unreachable(peer, cause))),
  ])
  return Object.fromEntries(calls) as Client
}
