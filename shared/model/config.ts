import * as z from 'zod'
import { AllowedHost } from './allowed-host.ts'
import { ContainerConfig } from './container-config.ts'
import { KubernetesConfig } from './kubernetes-config.ts'
import { Limits, Timeouts } from './limits.ts'
import { ModelPolicy } from './model-policy.ts'
import { NodeId } from './node-id.ts'
import { AcceptPolicy, Members } from './policy.ts'

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
export const PlacementWeights = z
  .strictObject({
    startWeight: z.number().min(0).default(10).describe('A ms of waiting, in ms of running.'),
    unknownRunMs: z.number().min(0).default(60_000).describe('Run time assumed of a node without history.'),
    modelLoadMs: z.number().min(0).default(20_000).describe('Loading a model that is not in memory.'),
    modelAtHomeMs: z.number().min(0).default(2_000).describe('A model that answers from home, by way of the network.'),
    repositoryMs: z.number().min(0).default(5_000).describe('Shipping a repository that is not cached.'),
    dependencyMs: z.number().min(0).default(15_000).describe('Installing what the work needs.'),
    imageMs: z.number().min(0).default(20_000).describe('Pulling an image that is not there.'),
    loadMs: z.number().min(0).default(10_000).describe('A node whose slots are all taken but this one.'),
    machineLoadMs: z.number().min(0).default(10_000).describe('Each program a core beyond one that wants to run there.'),
    batteryMs: z.number().min(0).default(60_000).describe('Running from a battery.'),
    priceMs: z.number().min(0).default(60_000).describe('A unit of price.'),
    grantedMs: z.number().min(0).default(5_000).describe("A node that is neither paired nor of this node's own user."),
  })
  .meta({ id: 'PlacementWeights' })
export type PlacementWeights = z.infer<typeof PlacementWeights>

/** One schema for every source of settings: flags, environment, skein.yaml, defaults (in this order of strength). */
export const Config = z
  .strictObject({
    dataDir: z.string().min(1),
    api: z
      .strictObject({
        host: z.string().default('127.0.0.1').describe('Address to listen on.'),
        port: z.int().min(0).max(65_535).default(8080).describe('0 takes any free port.'),
        corsAllowedOrigins: z.array(z.string()).default([]),
        allowedHosts: z.array(z.string()).default([]).describe('Host names accepted besides loopback ones.'),
        bodyBytes: z
          .int()
          .min(1024)
          .default(2 * 1000 * 1000),
        roles: z
          .strictObject({
            viewer: Members.prefault({}),
            runner: Members.prefault({}),
            admin: Members.prefault({}),
          })
          .prefault({})
          .describe('Who may use the API from a tailnet without a token, besides whom a grant lets.'),
        requestsPerMinute: z.int().min(1).default(60_000).describe('Per caller, before 429.'),
      })
      .prefault({}),
    web: z
      .strictObject({
        port: z
          .int()
          .min(0)
          .max(65_535)
          .optional()
          .describe(
            'Where the same server is reached besides `api.port`; default: 3000 out of a source tree on the usual port, else nowhere.',
          ),
      })
      .prefault({}),
    node: z
      .strictObject({
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
      })
      .prefault({}),
    storage: z
      .strictObject({
        budgetBytes: z
          .int()
          .min(MiB)
          .default(20 * GiB)
          .describe('Data directory may grow to this; admission answers 507 beyond.'),
        reserveBytes: z
          .int()
          .min(0)
          .default(512 * MiB)
          .describe('Free space that must stay on the file system.'),
        keepEndedMs: z
          .int()
          .min(0)
          .default(30 * 24 * HOUR)
          .describe('Ended jobs older than this are pruned.'),
        idempotencyMs: z
          .int()
          .min(0)
          .default(24 * HOUR),
      })
      .prefault({}),
    jobs: z
      .strictObject({
        timeouts: Timeouts.extend({}).partial().default({}),
        limits: Limits.extend({}).partial().default({}),
        graceMs: z.int().min(0).default(5_000).describe('From asking a process to end until it is killed.'),
        networkAllow: z.array(AllowedHost).default([]),
      })
      .prefault({}),
    fleet: z
      .strictObject({
        leaseMs: z
          .int()
          .min(5_000)
          .default(90_000)
          .describe('How long an attempt on another node goes on without hearing from this one.'),
        unackedBytes: z
          .int()
          .min(64 * 1024)
          .default(16 * MiB)
          .describe('Log and events of an attempt that are kept for a home that has not taken them, before its output waits.'),
        bidMs: z.int().min(100).default(3_000).describe('How long a bid reserves room.'),
        snapshotBytes: z
          .int()
          .min(1)
          .default(4 * GiB)
          .describe('Largest bundle taken with work of another node.'),
        resultBytes: z
          .int()
          .min(1)
          .default(4 * GiB)
          .describe('Largest bundle brought home with a result.'),
        models: ModelPolicy.default('prefer-worker').describe('Whose models answer attempts of our jobs on other nodes.'),
        placement: PlacementWeights.prefault({}),
        accept: AcceptPolicy.prefault({}).describe(
          'Whose jobs are taken, besides those of paired nodes and of grants, and when.',
        ),
        peers: z
          .array(
            z.strictObject({
              address: z.url({ protocol: /^https?$/ }).describe('Where it is asked, such as `http://desktop:8080`.'),
              id: NodeId.describe('As `skein peers self` says there.'),
              offer: z.boolean().default(true).describe('Whether jobs of this node are offered to it.'),
              accept: z.boolean().default(false).describe('Whether this node takes jobs of it.'),
            }),
          )
          .max(10_000)
          .default([])
          .describe('Nodes known by their ids, on networks that know nobody. This node itself may be among them.'),
        offer: Members.prefault({}).describe('Who is offered jobs of this node, besides the same.'),
      })
      .prefault({}),
    tailscale: z
      .strictObject({
        socket: z
          .string()
          .min(1)
          .optional()
          .describe('Of the daemon; `off` does without Tailscale. Default: where it usually is.'),
        port: z
          .int()
          .min(1)
          .max(65_535)
          .optional()
          .describe('Where other nodes of the tailnet are asked; default: our own port.'),
      })
      .prefault({}),
    models: z.strictObject({ providers: z.array(ProviderConfig).default([]) }).prefault({}),
    agents: z
      .record(
        z.string(),
        z.strictObject({
          command: z.string().optional(),
          args: z.array(z.string()).optional(),
          env: z.record(z.string(), z.string()).optional(),
        }),
      )
      .default({})
      .describe('How to start an agent, by its id, where the built-in table is not right.'),
    executors: z
      .strictObject({ container: ContainerConfig.prefault({}), kubernetes: KubernetesConfig.prefault({}) })
      .prefault({})
      .describe('Ways to make sandboxes, besides processes of this machine.'),
    log: z
      .strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info') })
      .prefault({}),
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
