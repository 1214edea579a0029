import type { AddressInfo } from 'node:net'
import { availableParallelism, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecrets, loadToken, type Secrets } from '#server/access/index.ts'
import { acpAgents } from '#server/agents/acp/index.ts'
import { builtinAgent } from '#server/agents/builtin/index.ts'
import { commandAgent } from '#server/agents/command/index.ts'
import type { Agent } from '#server/agents/index.ts'
import { type Api, attachStream, createApi, loadPages } from '#server/api/index.ts'
import { createEvents } from '#server/events/index.ts'
import { containerExecutor } from '#server/executors/container/index.ts'
import type { Executor } from '#server/executors/index.ts'
import { kubernetesExecutor } from '#server/executors/kubernetes/index.ts'
import type { ClusterSetup } from '#server/executors/kubernetes/prepare-cluster.ts'
import { processExecutor } from '#server/executors/process/index.ts'
import { createGateway } from '#server/gateway/index.ts'
import { createJobs, type JobDeps, type Jobs } from '#server/jobs/index.ts'
import { built, insideProgram } from '#server/lib/built.ts'
import { type Clock, systemClock } from '#server/lib/clock.ts'
import { nodeFiles } from '#server/lib/files.ts'
import { createJobIds, newToken } from '#server/lib/ids.ts'
import type { Lifetime } from '#server/lib/lifetime.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { VERSION } from '#server/lib/version.ts'
import { createLogs } from '#server/logs/index.ts'
import { editorProvider } from '#server/models/editor/index.ts'
import { createModels, type ModelOffers, type ModelProvider, type Models } from '#server/models/index.ts'
import { ollamaProvider } from '#server/models/ollama/index.ts'
import { openAiProvider } from '#server/models/openai-compatible/index.ts'
import {
  type Checkup,
  checkPeers,
  createPeers,
  loadIdentity,
  openKnownPeers,
  type PeerDirectory,
  type Peers,
  readNodeId,
  sha256,
} from '#server/peers/index.ts'
import { staticList } from '#server/peers/static-list/index.ts'
import { tailscaleMesh } from '#server/peers/tailscale/index.ts'
import { createOffers, createSpecHandlers, createSpecReader, createWordings, rootOf } from '#server/specs/index.ts'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import { createLog, type Log, lazyMetrics } from '#server/telemetry/index.ts'
import { createWorkspace, writeBranch } from '#server/workspace/index.ts'
import { type Config, DEFAULT_LIMITS, DEFAULT_TIMEOUTS, overlay, type ProviderConfig } from '#shared/model/index.ts'
import { apiKey, type Environment, secretValues } from './config.ts'
import { type DataDirectory, nodeMarker } from './data-directory.ts'
import { drainFile } from './drain-file.ts'
import { createCapacity, createNodeHandlers, freeBytes, loadPerCore } from './node.ts'
import { createPower } from './power.ts'

/** What `doctor` asks and a server works with: the ways to reach the outside world that a machine may or may not have. */
export interface Probes {
  readonly executors: readonly Executor[]
  readonly agents: readonly Agent[]
  readonly models: Models
  /** Those of them that jobs of other nodes may use here. */
  readonly sharedModels: Models
  /** Where editors offer theirs, which `models` has too. */
  readonly modelOffers: ModelOffers
  /** null when it is turned off. */
  readonly mesh: PeerDirectory | null
}

/** By what executors know what is theirs: they remove what carries these marks and is of no use to them. */
export interface Marks {
  /** In a cluster, where nodes of other machines are too. */
  readonly nodeId: string
  /** On this machine. */
  readonly machine: string
  /** For what sandboxes share; made when needed. */
  readonly directory: string
}

/** Marks of nobody else, for a program that is not the node: a server may run beside it, and its sandboxes are its own. */
export function marksOfNobody(directory: string): Marks {
  const machine = nodeMarker(directory)
  return { nodeId: machine, machine, directory }
}

/**
 * The composition root: the only place that names kinds.
 * @param marks default: for whoever makes no sandbox
 */
export function createProbes(
  config: Config,
  env: Environment,
  log: Log = createLog('silent'),
  clock: Clock = systemClock,
  marks: Marks = marksOfNobody(join(tmpdir(), `skein-look-${process.pid}`)),
): Probes {
  const editor = editorProvider({ clock })
  const providers = [
    ...config.models.providers.map(provider => ({
      provider: createProvider(provider, env, clock),
      isShared: isShared(provider),
    })),
    // Last, so that what the settings name is taken first. What a person may use in an editor is theirs alone.
    { provider: editor.provider, isShared: false },
  ]
  const modelsOf = (some: typeof providers) => createModels({ providers: some.map(({ provider }) => provider), clock })
  const { graceMs } = config.jobs
  const common = { graceMs, clock, log }
  const runnerFile = insideProgram('runner')
  const { nodeId, machine, directory } = marks
  // The lightest first: a job that asks for nothing gets the first that works.
  const executors = [
    processExecutor({
      ...common,
      nodeId: machine,
      directory,
      relayFile: insideProgram('relay'),
    }),
    containerExecutor({ ...common, nodeId: machine, directory, settings: config.executors.container, runnerFile, env }),
    kubernetesExecutor({ ...common, nodeId, settings: config.executors.kubernetes, runnerFile, random: Math.random }),
  ]
  const agents = [
    ...acpAgents({ overrides: config.agents, path: env.PATH ?? '', clock, graceMs }),
    builtinAgent({ programFile: insideProgram('builtin-agent') }),
    commandAgent({ clock, graceMs }),
  ]
  return {
    executors,
    agents,
    models: modelsOf(providers),
    sharedModels: modelsOf(providers.filter(({ isShared }) => isShared)),
    modelOffers: editor.offers,
    mesh: createMesh(config, env, clock),
  }
}

/** A key that was bought for this node's jobs is not spent on those of others, unless its owner says so. */
const isShared = (provider: ProviderConfig): boolean =>
  provider.shared ?? !(provider.kind === 'openai-compatible' && provider.apiKeyEnv !== undefined)

function createProvider(provider: ProviderConfig, env: Environment, clock: Clock): ModelProvider {
  switch (provider.kind) {
    case 'ollama':
      return ollamaProvider({ id: provider.id, baseUrl: provider.baseUrl, clock })
    case 'openai-compatible':
      return openAiProvider({
        id: provider.id,
        baseUrl: provider.baseUrl,
        apiKey: apiKey(provider, env),
        models: provider.models,
        clock,
      })
  }
}

function createMesh({ tailscale: { socket } }: Config, env: Environment, clock: Clock): PeerDirectory | null {
  if (socket === 'off') return null
  return tailscaleMesh({ socket, platform: process.platform, path: env.PATH ?? '', clock })
}

/** What a cluster needs for sandboxes of this node; loaded by those who ask. @throws {SandboxError} */
export async function clusterSetup({ executors }: Config, sandboxes: number): Promise<ClusterSetup> {
  const { prepareCluster } = await import('#server/executors/kubernetes/prepare-cluster.ts')
  return prepareCluster(executors.kubernetes, sandboxes, systemClock)
}

/** What `doctor` asks of other nodes. */
export async function inspectPeers(config: Config, mesh: PeerDirectory | null): Promise<Checkup> {
  const damage: string[] = []
  const peers = await openKnownPeers(peersFile(config.dataDir)).then(
    directory => directory.list(),
    error => {
      damage.push(messageOf(error))
      return []
    },
  )
  const self = await readNodeId(join(config.dataDir, 'node.key'))
  const listed = config.fleet.peers.filter(({ id }) => id !== self)
  const checkup = await checkPeers({ mesh, peers, listed, now: systemClock.now })
  const problems = damage.map(what => ({ what, fix: 'A server does not start with it as it is.' }))
  return { ...checkup, problems: [...problems, ...checkup.problems] }
}

const peersFile = (dataDir: string): string => join(dataDir, 'peers.json')

function createNodeSecrets(config: Config, env: Environment): Secrets {
  const secrets = createSecrets()
  for (const { name, value } of secretValues(env, config.models.providers)) secrets.add(value, name)
  return secrets
}

/** Builds the server around a data directory that is already ours. What it opens ends with `life`. */
export async function compose(input: {
  config: Config
  env: Environment
  directory: DataDirectory
  log: Log
  life: Lifetime
}): Promise<{ api: Api; stream: { close(): void }; jobs: Jobs; peers: Peers }> {
  const { config, env, directory, log, life } = input
  const clock = systemClock
  const name = config.node.name ?? hostname()
  const secrets = createNodeSecrets(config, env)
  const token = await loadToken(join(directory.data, 'token'))
  secrets.add(token.value, 'node token')

  const store = life.use(await sqliteStore({ file: join(directory.data, 'skein.db'), clock, log }))
  const logs = createLogs({ directory: join(directory.data, 'logs') })
  const events = createEvents({ store })
  const workspace = createWorkspace({ directory: directory.data, log })
  const identity = await loadIdentity(join(directory.data, 'node.key'))
  const { executors, agents, models, sharedModels, modelOffers, mesh } = createProbes(config, env, log, clock, {
    nodeId: identity.nodeId,
    machine: nodeMarker(config.dataDir),
    directory: join(config.dataDir, 'executor'),
  })
  for (const executor of executors) life.use(executor)
  const gateway = createGateway({ log })
  const peers = createPeers({
    identity,
    name,
    version: VERSION,
    directory: await openKnownPeers(peersFile(directory.data)),
    card: () => jobs.card(),
    clock,
    random: Math.random,
    port: () => (api.server.address() as AddressInfo).port,
    transport: { fetch: globalThis.fetch, listen: addresses => api.listenForNodes(addresses) },
    meshes: [
      ...(mesh ? [{ directory: mesh, rules: config.fleet, port: config.tailscale.port }] : []),
      { directory: staticList({ peers: config.fleet.peers, self: identity.nodeId }), rules: config.fleet },
    ],
    roles: config.api.roles,
    warn: what => log.warn(what),
  })
  const concurrency = config.node.concurrency ?? availableParallelism()
  const capacity = createCapacity(directory.data, config.node.labels)
  const specReader = createSpecReader()
  const deps: JobDeps = {
    store,
    logs,
    hostedLogs: createLogs({ directory: join(directory.hosted, 'logs') }),
    fleet: peers.fleet,
    node: { version: VERSION, capacity, power: createPower({ platform: process.platform }), loadPerCore },
    random: Math.random,
    events,
    workspace,
    executors,
    agents,
    models,
    sharedModels,
    gateway,
    secrets,
    wordingOf: createWordings(specReader),
    clock,
    files: nodeFiles,
    newJobId: createJobIds(clock),
    newToken,
    freeBytes,
    directories: directory,
    drainFile: drainFile(join(directory.data, 'drain.json')),
    settings: {
      concurrency,
      waiting: config.node.waiting ?? concurrency,
      price: config.node.price ?? null,
      allowNoSandbox: config.node.allowNoSandbox,
      timeouts: overlay(DEFAULT_TIMEOUTS, config.jobs.timeouts),
      limits: overlay(DEFAULT_LIMITS, config.jobs.limits),
      graceMs: config.jobs.graceMs,
      networkAllow: config.jobs.networkAllow,
      ...config.fleet,
      storage: config.storage,
    },
    log,
  }
  const jobs = createJobs(deps)
  const metrics = lazyMetrics({ counts: store.counts, places: jobs.places, version: VERSION })
  store.onEvents(metrics.count)
  const node = createNodeHandlers({ name, capacity, executorRoom: jobs.executorRoom, metrics: metrics.text, models, modelOffers })
  const offers = createOffers({ clock, rootOf })
  const specs = createSpecHandlers({
    reader: specReader,
    offers,
    jobs: store.specJobs,
    nameOf: worker => peers.fleet.who(worker).name,
    writeBranch,
  })
  const api = createApi({
    handlers: { ...jobs.handlers, ...peers.handlers, ...specs, ...node },
    token,
    authenticatePeer: ({ authorization, body, ...request }) =>
      peers.verifier.verify(authorization, { ...request, bodySha256: async () => sha256(await body()) }),
    roleOf: peers.roleOf,
    pages: loadPages(built('webviews')),
    config: config.api,
    version: VERSION,
    clock,
    log,
  })
  const stream = attachStream(api, {
    node: name,
    token,
    config: config.api,
    events,
    logs,
    isSealed: async id => (await store.log(id)) !== null,
    jobExists: async id => (await store.job(id)) !== null,
    lastSeq: store.lastSeq,
    peers: peers.feed,
    offers,
    modelOffers,
    clock,
    log,
  })
  return { api, stream, jobs, peers }
}
