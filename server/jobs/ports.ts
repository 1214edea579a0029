import type { Secrets } from '#server/access/index.ts'
import type { Agent } from '#server/agents/index.ts'
import type { Events } from '#server/events/index.ts'
import type { Executor } from '#server/executors/index.ts'
import type { Gateway } from '#server/gateway/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { Files } from '#server/lib/files.ts'
import type { Logs } from '#server/logs/index.ts'
import type { Models } from '#server/models/index.ts'
import type { Fleet } from '#server/peers/index.ts'
import type { Store } from '#server/store/index.ts'
import type { Log } from '#server/telemetry/index.ts'
import type { Workspace } from '#server/workspace/index.ts'
import type {
  AcceptPolicy,
  Capacity,
  JobId,
  Limits,
  ModelPolicy,
  PlacementWeights,
  PowerSource,
  SpecTaskRef,
  Timeouts,
} from '#shared/model/index.ts'
import type { DrainFile } from './drain.ts'
import type { Outflow } from './outflow.ts'

/** What the node allows and assumes where a job says nothing. */
export interface JobSettings {
  readonly concurrency: number
  /** Attempts that may wait here for a slot once other nodes take part. */
  readonly waiting: number
  /** What an hour of an attempt costs others; null: nothing. */
  readonly price: number | null
  readonly allowNoSandbox: boolean
  readonly timeouts: Timeouts
  readonly limits: Limits
  /** From asking an attempt to end until its sandbox is taken down, ms. */
  readonly graceMs: number
  readonly networkAllow: readonly string[]
  /** How long an attempt on another node goes on without hearing from this one, ms. */
  readonly leaseMs: number
  /** What of an attempt of another node's job may be kept here that is not safe there, before its output waits. */
  readonly unackedBytes: number
  /** How long a bid reserves room, ms. */
  readonly bidMs: number
  /** Largest bundles that nodes send each other: with work for this one, and with a result of work elsewhere. */
  readonly snapshotBytes: number
  readonly resultBytes: number
  /** Whose models answer attempts of this node's jobs elsewhere. */
  readonly models: ModelPolicy
  readonly placement: PlacementWeights
  /** Whose jobs are taken, and when. */
  readonly accept: AcceptPolicy
  readonly storage: { budgetBytes: number; reserveBytes: number; keepEndedMs: number; idempotencyMs: number }
}

export interface Directories {
  /** The data directory itself; its file system is the one that must not fill up. */
  readonly data: string
  /** One directory an attempt, removed with it. */
  readonly attempts: string
  /** What attempts of other nodes' jobs left, one directory each, until their home has it. */
  readonly hosted: string
  /** Result files made on request, one directory a job. */
  readonly artifacts: string
  /** Short path for unix sockets, which may not be longer than 107 bytes. */
  readonly runtime: string
}

/** This node, as others know it. */
export interface OwnNode {
  readonly version: string
  capacity(): Promise<Capacity>
  /** What the machine runs on now. */
  power(): Promise<PowerSource>
  /** Programs that want to run, a core, over the last minute; 1 is a machine that is just busy. 0 where nothing tells. */
  loadPerCore(): number
}

export interface JobDeps {
  readonly store: Store
  readonly logs: Logs
  /** Logs of attempts of other nodes' jobs. */
  readonly hostedLogs: Logs
  readonly fleet: Fleet
  readonly node: OwnNode
  /** From 0 up to 1. */
  readonly random: () => number
  readonly events: Events
  readonly workspace: Workspace
  readonly executors: readonly Executor[]
  readonly agents: readonly Agent[]
  readonly models: Models
  /** Those of them that jobs of other nodes may use here. */
  readonly sharedModels: Models
  readonly gateway: Gateway
  readonly secrets: Secrets
  /** Hash of what a task of a spec asks for, in a work tree of this machine; null when there is no such task, or more than one. */
  readonly wordingOf: (repository: string, task: SpecTaskRef) => Promise<string | null>
  readonly clock: Clock
  readonly files: Files
  readonly newJobId: () => JobId
  readonly newToken: () => string
  /** Free bytes on the file system of a directory. */
  readonly freeBytes: (directory: string) => Promise<number>
  readonly directories: Directories
  readonly drainFile: DrainFile
  readonly settings: JobSettings
  readonly log: Log
}

/** What an attempt needs, wherever its job came from. */
export type AttemptDeps = Omit<JobDeps, 'store' | 'logs'> & {
  readonly store: Pick<Store, 'change' | 'append'>
  readonly logs: Pick<Logs, 'writer'>
  /** The job is of another node. */
  readonly isGuest?: boolean
  /** What makes the output wait for the node it is for. */
  readonly outflow?: Outflow
}
