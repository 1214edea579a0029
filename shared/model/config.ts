import * as z from 'zod'
import { AllowedHost } from './allowed-host.ts'
import { ContainerConfig } from './container-config.ts'
import { KubernetesConfig } from './kubernetes-config.ts'
import { Limits, Timeouts } from './limits.ts'
import { ModelPolicy } from './model-policy.ts'
import { NodeId } from './node-id.ts'
import { AcceptPolicy, Members, NOBODY } from './policy.ts'
import { section } from './section.ts'

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const HOUR = 3_600_000

const shared = z.boolean().optional().describe('Whether jobs of other nodes may use it here; default: unless it takes a key.')

export const ProviderConfig = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('ollama'), id: z.string().default('ollama'), baseUrl: z.url(), shared }),
    z.strictObject({
      kind: z.literal('openai-compatible'),
      id: z.string().default('openai'),
      baseUrl: z.url().describe('Up to and including `/v1`.'),
      apiKeyEnv: z
        .string()
        .optional()
        .describe('Name of the environment variable that holds the key; the key itself is never in a file.'),
      models: z.array(z.string()).default([]).describe('Names to offer where the server cannot list its own.'),
      shared,
    }),
  ])
  .meta({ id: 'ProviderConfig' })
export type ProviderConfig = z.infer<typeof ProviderConfig>

/** What a bid's shortcomings cost, in ms of run time that would be as bad. docs/placement.md */
const WEIGHTS = {
  startWeight: 10,
  unknownRunMs: 60_000,
  modelLoadMs: 20_000,
  modelAtHomeMs: 2_000,
  repositoryMs: 5_000,
  dependencyMs: 15_000,
  imageMs: 20_000,
  loadMs: 10_000,
  machineLoadMs: 10_000,
  batteryMs: 60_000,
  priceMs: 60_000,
  grantedMs: 5_000,
}
export const PlacementWeights = section(WEIGHTS, () => {
  const weight = (key: keyof typeof WEIGHTS) => z.number().min(0).default(WEIGHTS[key])
  return z.strictObject({
    startWeight: weight('startWeight').describe('A ms of waiting, in ms of running.'),
    unknownRunMs: weight('unknownRunMs').describe('Run time assumed of a node without history.'),
    modelLoadMs: weight('modelLoadMs').describe('Loading a model that is not in memory.'),
    modelAtHomeMs: weight('modelAtHomeMs').describe('A model that answers from home, by way of the network.'),
    repositoryMs: weight('repositoryMs').describe('Shipping a repository that is not cached.'),
    dependencyMs: weight('dependencyMs').describe('Installing what the work needs.'),
    imageMs: weight('imageMs').describe('Pulling an image that is not there.'),
    loadMs: weight('loadMs').describe('A node whose slots are all taken but this one.'),
    machineLoadMs: weight('machineLoadMs').describe('Each program a core beyond one that wants to run there.'),
    batteryMs: weight('batteryMs').describe('Running from a battery.'),
    priceMs: weight('priceMs').describe('A unit of price.'),
    grantedMs: weight('grantedMs').describe("A node that is neither paired nor of this node's own user."),
  })
})
export type PlacementWeights = z.infer<typeof PlacementWeights>

const ROLES = { viewer: NOBODY, runner: NOBODY, admin: NOBODY }
const API = {
  host: '127.0.0.1',
  port: 8080,
  corsAllowedOrigins: [],
  allowedHosts: [],
  bodyBytes: 2 * 1000 * 1000,
  roles: ROLES,
  requestsPerMinute: 60_000,
}
const Api = section(API, () =>
  z.strictObject({
    host: z.string().default(API.host).describe('Address to listen on.'),
    port: z.int().min(0).max(65_535).default(API.port).describe('0 takes any free port.'),
    corsAllowedOrigins: z.array(z.string()).default([]),
    allowedHosts: z.array(z.string()).default([]).describe('Host names accepted besides loopback ones.'),
    bodyBytes: z.int().min(1024).default(API.bodyBytes),
    roles: section(ROLES, () => z.strictObject({ viewer: Members, runner: Members, admin: Members })).describe(
      'Who may use the API from a tailnet without a token, besides whom a grant lets.',
    ),
    requestsPerMinute: z.int().min(1).default(API.requestsPerMinute).describe('Per caller, before 429.'),
  }),
)

const Web = section({}, () =>
  z.strictObject({
    port: z
      .int()
      .min(0)
      .max(65_535)
      .optional()
      .describe(
        'Where the same server is reached besides `api.port`; default: 3000 out of a source tree on the usual port, else nowhere.',
      ),
  }),
)

const Node = section({ labels: {}, allowNoSandbox: true }, () =>
  z.strictObject({
    name: z.string().min(1).max(63).optional().describe('Default: the host name.'),
    concurrency: z.int().min(1).max(1024).optional().describe('Attempts at once; default: the number of cores.'),
    waiting: z
      .int()
      .min(0)
      .max(1024)
      .optional()
      .describe('Attempts that may wait here for a slot once other nodes take part; default: `concurrency`.'),
    price: z.number().min(0).optional().describe('What an hour of an attempt costs others, in whatever the fleet counts.'),
    labels: z.record(z.string(), z.string()).default({}),
    allowNoSandbox: z.boolean().default(true).describe('Whether a job may ask for `sandbox: none`.'),
  }),
)

const STORAGE = { budgetBytes: 20 * GiB, reserveBytes: 512 * MiB, keepEndedMs: 30 * 24 * HOUR, idempotencyMs: 24 * HOUR }
const Storage = section(STORAGE, () => {
  const amount = (key: keyof typeof STORAGE, least = 0) => z.int().min(least).default(STORAGE[key])
  return z.strictObject({
    budgetBytes: amount('budgetBytes', MiB).describe('Data directory may grow to this; admission answers 507 beyond.'),
    reserveBytes: amount('reserveBytes').describe('Free space that must stay on the file system.'),
    keepEndedMs: amount('keepEndedMs').describe('Ended jobs older than this are pruned.'),
    idempotencyMs: amount('idempotencyMs'),
  })
})

const JOBS = { timeouts: {}, limits: {}, graceMs: 5_000, networkAllow: [] }
const Jobs = section(JOBS, () =>
  z.strictObject({
    timeouts: Timeouts.extend({}).partial().default({}),
    limits: Limits.extend({}).partial().default({}),
    graceMs: z.int().min(0).default(JOBS.graceMs).describe('From asking a process to end until it is killed.'),
    networkAllow: z.array(AllowedHost).default([]),
  }),
)

const FLEET = {
  leaseMs: 90_000,
  unackedBytes: 16 * MiB,
  bidMs: 3_000,
  snapshotBytes: 4 * GiB,
  resultBytes: 4 * GiB,
  models: 'prefer-worker' as const,
  placement: WEIGHTS,
  accept: { ...NOBODY, for: [] },
  peers: [],
  offer: NOBODY,
}
const Fleet = section(FLEET, () => {
  const amount = (key: 'leaseMs' | 'unackedBytes' | 'bidMs' | 'snapshotBytes' | 'resultBytes', least: number) =>
    z.int().min(least).default(FLEET[key])
  const peer = z.strictObject({
    address: z.url({ protocol: /^https?$/ }).describe('Where it is asked, such as `http://desktop:8080`.'),
    id: NodeId.describe('As `skein peers self` says there.'),
    offer: z.boolean().default(true).describe('Whether jobs of this node are offered to it.'),
    accept: z.boolean().default(false).describe('Whether this node takes jobs of it.'),
  })
  return z.strictObject({
    leaseMs: amount('leaseMs', 5_000).describe('How long an attempt on another node goes on without hearing from this one.'),
    unackedBytes: amount('unackedBytes', 64 * 1024).describe(
      'Log and events of an attempt that are kept for a home that has not taken them, before its output waits.',
    ),
    bidMs: amount('bidMs', 100).describe('How long a bid reserves room.'),
    snapshotBytes: amount('snapshotBytes', 1).describe('Largest bundle taken with work of another node.'),
    resultBytes: amount('resultBytes', 1).describe('Largest bundle brought home with a result.'),
    models: ModelPolicy.default(FLEET.models).describe('Whose models answer attempts of our jobs on other nodes.'),
    placement: PlacementWeights,
    accept: AcceptPolicy.describe('Whose jobs are taken, besides those of paired nodes and of grants, and when.'),
    peers: z
      .array(peer)
      .max(10_000)
      .default([])
      .describe('Nodes known by their ids, on networks that know nobody. This node itself may be among them.'),
    offer: Members.describe('Who is offered jobs of this node, besides the same.'),
  })
})

const Tailscale = section({}, () =>
  z.strictObject({
    socket: z.string().min(1).optional().describe('Of the daemon; `off` does without Tailscale. Default: where it usually is.'),
    port: z.int().min(1).max(65_535).optional().describe('Where other nodes of the tailnet are asked; default: our own port.'),
  }),
)

const Agents = section({}, () =>
  z.record(
    z.string(),
    z.strictObject({
      command: z.string().optional(),
      args: z.array(z.string()).optional(),
      env: z.record(z.string(), z.string()).optional(),
    }),
  ),
)

const Log = section({ level: 'info' }, () =>
  z.strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info') }),
)

/** One schema for every source of settings: flags, environment, skein.yaml, defaults (in this order of strength). */
export const Config = z
  .strictObject({
    dataDir: z.string().min(1),
    api: Api,
    web: Web,
    node: Node,
    storage: Storage,
    jobs: Jobs,
    fleet: Fleet,
    tailscale: Tailscale,
    models: section({ providers: [] }, () => z.strictObject({ providers: z.array(ProviderConfig).default([]) })),
    agents: Agents.describe('How to start an agent, by its id, where the built-in table is not right.'),
    executors: z
      .strictObject({ container: ContainerConfig, kubernetes: KubernetesConfig })
      .prefault({})
      .describe('Ways to make sandboxes, besides processes of this machine.'),
    log: Log,
  })
  .meta({ id: 'Config' })
export type Config = z.infer<typeof Config>

export const DEFAULT_TIMEOUTS: Timeouts = {
  queueMs: 24 * HOUR,
  runMs: 2 * HOUR,
  checkMs: 30 * 60_000,
  silenceMs: 30 * 60_000,
  permissionMs: 10 * 60_000,
}
export const DEFAULT_LIMITS: Limits = {
  memoryBytes: 8 * GiB,
  cpuSeconds: 4 * 3600,
  processes: 1024,
  fileBytes: 4 * GiB,
  diskBytes: 10 * GiB,
  logBytes: 64 * MiB,
}
