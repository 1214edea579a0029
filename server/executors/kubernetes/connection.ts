import { Agent, type RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Clock } from '#server/lib/clock.ts'
import { SandboxError } from '../index.ts'
import { type ExecCredential, ExecPlugin, runPlugin } from './exec-credential.ts'
import type { Source } from './kubeconfig.ts'

/** How one cluster is spoken with, as whom. */
export interface Connection {
  /** Such as `https://10.0.0.1:6443`, perhaps with a path. */
  readonly server: string
  /** For people: context and server. */
  readonly said: string
  /** TLS, agent and headers for one request; credentials are renewed when they have to be. @throws {SandboxError} */
  options(): Promise<RequestOptions>
  /** Told that the server refused the credentials: a plug-in is asked anew, whenever by our clock they would have run out. */
  distrust(): void
  close(): void
}

/** How long a plug-in that gives credentials may take. */
const PLUGIN_TIMEOUT_MS = 15_000
/** Credentials are taken for expired so much earlier. */
const EARLY_MS = 30_000

interface Deps {
  readonly context: string | undefined
  readonly clock: Pick<Clock, 'now'>
  readonly pluginTimeoutMs?: number
}

/**
 * Reads the kubeconfig. The library that does is large, so it is read when a cluster is first used.
 * @throws {SandboxError} that says what is wrong with the file
 */
export async function openConnection(source: Source, deps: Deps): Promise<Connection> {
  const config = await load(source)
  const wanted = deps.context ?? config.getCurrentContext()
  const known = config.getContexts().map(({ name }) => name)
  const fail = (why: string) => new SandboxError('unavailable', `${source.said}: ${why}`)
  if (!wanted) throw fail(`no context is chosen; it has ${known.join(', ') || 'none'}`)
  if (!known.includes(wanted)) throw fail(`there is no context ${wanted}; it has ${known.join(', ') || 'none'}`)
  config.setCurrentContext(wanted)
  const cluster = config.getCurrentCluster()
  if (!cluster) throw fail(`context ${wanted} names a cluster that is not in it`)
  const user = config.getCurrentUser()
  if (!user) throw fail(`context ${wanted} names a user who is not in it`)
  if (!URL.canParse(cluster.server)) throw fail(`${cluster.server} is no address of a cluster`)
  const plugin = user.exec ? ExecPlugin.safeParse(user.exec) : null
  if (plugin && !plugin.success) throw fail(`user ${user.name} has an exec plug-in without a command`)
  // The library's own opens a connection for every request, and keeps the first certificate for ever.
  const agent = cluster.proxyUrl || cluster.server.startsWith('http:') ? null : new Agent({ keepAlive: true })
  const renewal = plugin?.data ? createRenewal(plugin.data, deps) : null

  return {
    server: cluster.server,
    said: `context ${wanted} at ${cluster.server}`,
    async options() {
      try {
        if (renewal) withCredential(config, await renewal.renew())
        const options: RequestOptions = {}
        await config.applyToHTTPSOptions(options)
        return agent ? { ...options, agent } : options
      } catch (cause) {
        throw new SandboxError('unavailable', `No credentials for the cluster: ${(cause as Error).message}`, { cause })
      }
    },
    distrust: () => renewal?.forget(),
    close: () => agent?.destroy(),
  }
}

async function load(source: Source): Promise<KubeConfig> {
  // A path of its own, not the package's index: that would pull in a client for every kind of object there is.
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
  const config = new KubeConfig()
  if (source.kind === 'in-cluster') {
    config.loadFromCluster()
    return config
  }
  const [first, ...more] = source.files
  try {
    config.loadFromFile(first ?? '')
    for (const file of more) {
      const other = new KubeConfig()
      other.loadFromFile(file)
      config.mergeConfig(other, true)
    }
  } catch (cause) {
    throw new SandboxError('unavailable', `${source.said} is no kubeconfig: ${(cause as Error).message}`, { cause })
  }
  return config
}

/** Asks the plug-in when there is no credential or it runs out; those who ask meanwhile wait for the same answer. */
function createRenewal(
  plugin: ExecPlugin,
  { clock, pluginTimeoutMs = PLUGIN_TIMEOUT_MS }: Deps,
): { renew(): Promise<ExecCredential>; forget(): void } {
  let current: { readonly credential: Promise<ExecCredential>; until: number; isThere: boolean } | null = null
  const renew = () => {
    if (current && clock.now() < current.until) return current.credential
    const mine = { credential: runPlugin(plugin, pluginTimeoutMs), until: Number.POSITIVE_INFINITY, isThere: false }
    current = mine
    mine.credential.then(
      ({ expirationTimestamp }) => {
        mine.isThere = true
        if (expirationTimestamp !== undefined) mine.until = Date.parse(expirationTimestamp) - EARLY_MS
      },
      () => {
        if (current === mine) current = null
      },
    )
    return mine.credential
  }
  return {
    renew,
    // One that is on its way was asked for after whatever was refused.
    forget() {
      if (current?.isThere) current = null
    },
  }
}

/** Puts a credential in the place of the plug-in, which the library would otherwise run itself. */
function withCredential(config: KubeConfig, { token, clientCertificateData, clientKeyData }: ExecCredential): void {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64')
  const { name } = config.getCurrentUser() ?? { name: '' }
  const user = {
    name,
    ...(token === undefined ? {} : { token }),
    ...(clientCertificateData === undefined ? {} : { certData: base64(clientCertificateData) }),
    ...(clientKeyData === undefined ? {} : { keyData: base64(clientKeyData) }),
  }
  config.users = [...config.getUsers().filter(other => other.name !== name), user]
}
