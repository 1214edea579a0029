import type { Models, ModelUse } from '#server/models/index.ts'
import type { Log } from '#server/telemetry/index.ts'

/** All addresses of a name. */
export type Lookup = (name: string) => Promise<readonly string[]>

export interface GatewayDeps {
  readonly log: Log
  /** Name resolution; the system's when not given. */
  readonly lookup?: Lookup
}

export interface GatewaySpec {
  /** Path of the unix socket to listen on; at most 100 bytes long. */
  readonly socket: string
  /** The job's own token; everything else is refused. */
  readonly token: string
  /** Who answers its model calls. */
  readonly models: Models
  /** `host`, `*.host`, either with `:port`. Empty: nothing but the orchestrator itself. */
  readonly allow: readonly string[]
  /** The same, as another node wants it for its job: no private address is let through by these. */
  readonly guestAllow?: readonly string[]
  /** Where the sandbox's relay to this gateway listens on the sandbox's own loopback. */
  readonly relayPort: number
  used(use: ModelUse): void
  /** Told of each request that was refused, once per host. */
  refused(host: string, reason: string): void
}

/** One running gateway: the only way out of one sandbox. */
export interface OpenGateway {
  /** Ends it and every connection through it. */
  close(): Promise<void>
}

/**
 * Opens gateways. A request in origin form (`GET /v1/models`) is for the orchestrator's model API; one in absolute form or a
 * CONNECT is a proxy request and must be on the allow-list, or name the relay, which is the gateway itself; private, loopback,
 * link-local and tailnet addresses are refused whatever name leads to them, unless this node's owner lists them by address.
 */
export interface Gateway {
  open(spec: GatewaySpec): Promise<OpenGateway>
}
