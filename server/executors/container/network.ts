import { BlockList, isIP } from 'node:net'
import * as z from 'zod'
import type { ContainerConfig } from '#shared/model/index.ts'
import { SandboxError } from '../index.ts'
import type { OwnAddress } from '../runner/index.ts'
import { type Engine, EngineError } from './engine.ts'

/** The network that containers are on where they are sent what they need. */
export interface AgentNetwork {
  readonly name: string
  /** In its own notation: address and length of the prefix. */
  readonly subnets: readonly string[]
  /** Where the machine of the engine is on it. */
  readonly gateways: readonly string[]
}

const Inspected = z.object({
  Internal: z.boolean().nullish(),
  IPAM: z
    .object({ Config: z.array(z.object({ Subnet: z.string().nullish(), Gateway: z.string().nullish() })).nullish() })
    .nullish(),
})

const Podmans = z.object({ dns_enabled: z.boolean() })

/** @throws {SandboxError} when there is no such network, or when it leads out: then a job could go anywhere past its gateway */
export async function findNetwork(engine: Engine, name: string, isPodman: boolean): Promise<AgentNetwork> {
  const make = isPodman ? 'podman network create --internal --disable-dns' : 'docker network create --internal'
  const remedy = `Make it by \`${make} ${name}\`, or name another by executors.container.network.`
  const unavailable = (why: string, cause?: unknown) => new SandboxError('unavailable', why, { remedy, cause })
  const { Internal, IPAM } = await engine.ask(Inspected, 'GET', `/networks/${name}`).catch(cause => {
    if (!(cause instanceof EngineError) || cause.status !== 404) throw cause
    throw unavailable(`The engine at ${engine.at} has no network ${name} for the containers of jobs`, cause)
  })
  if (Internal !== true)
    throw unavailable(`The network ${name} of the engine at ${engine.at} is not internal: jobs would get out past their gateway`)
  // Podman answers questions for any name there, and asks others for what it does not know: questions lead out too.
  if (isPodman && (await engine.ask(Podmans, 'GET', `/v4.0.0/libpod/networks/${name}/json`)).dns_enabled)
    throw unavailable(
      `The network ${name} of the engine at ${engine.at} resolves names: jobs would get out by questions for them`,
    )
  const config = IPAM?.Config ?? []
  const all = (field: 'Subnet' | 'Gateway') => config.flatMap(({ [field]: value }) => (value ? [value] : []))
  return {
    name,
    subnets: all('Subnet'), // Podman says `<nil>` where the machine is not on it.
    gateways: all('Gateway')
      .map(gateway => gateway.replace(/\/\d+$/, ''))
      .filter(gateway => isIP(gateway) !== 0),
  }
}

/**
 * Where containers of the network reach this node: as the settings say, else by the addresses it has on that network, as one that is a container
 * there too; else where the machine of the engine is, taken for this one.
 * @throws {SandboxError} when there is none
 */
export function homesOn(
  network: AgentNetwork,
  { address }: ContainerConfig['home'],
  own: readonly OwnAddress[],
): readonly string[] {
  if (address !== 'auto') return [address]
  const inside = new BlockList()
  for (const subnet of network.subnets) {
    const [start = '', prefix] = subnet.split('/')
    if (isIP(start) !== 0) inside.addSubnet(start, Number(prefix), isIP(start) === 4 ? 'ipv4' : 'ipv6')
  }
  const ours = own.filter(
    ({ address, family, internal }) => !internal && inside.check(address, family === 'IPv4' ? 'ipv4' : 'ipv6'),
  )
  const found = ours.length > 0 ? ours.map(({ address }) => address) : network.gateways
  if (found.length > 0) return found
  throw new SandboxError('unavailable', `This node is not on the network ${network.name} of the engine`, {
    remedy: 'Connect its container to that network, or set executors.container.home.address.',
  })
}
