import type { Readable, Writable } from 'node:stream'
import type { ExecutorCapacity, ExecutorKind, IsolationLevel, Limits, UsedImage, Workload } from '#shared/model/index.ts'

/** Where the relay to the gateway listens inside a sandbox, on its own 127.0.0.1. Without a sandbox it is any free port. */
export const RELAY_PORT = 3128

/** Which process, beyond doubt: ids are reused, the pair is not. */
export interface ProcessIdentity {
  readonly pid: number
  /** `<bootId>:<start time in clock ticks>` on Linux, the platform's own start time elsewhere. */
  readonly startTime: string
}

export interface ExecutorProbe {
  readonly available: boolean
  /** Whether something of the kind is here and does not work, which wants mending although others do; default: no. */
  readonly isBroken?: boolean
  /** What a sandbox gets that asks for no level. */
  readonly isolation: IsolationLevel
  /** All levels it can give; default: that one. */
  readonly levels?: readonly IsolationLevel[]
  readonly version: string | null
  /** What was found, for people. */
  readonly detail: string
  /** How to get what is missing. */
  readonly remedy: string | null
}

export interface SandboxSpec {
  /** Unique among living sandboxes of this node; also marks the processes inside (`SKEIN_SANDBOX_ID`). */
  readonly id: string
  /** Host directory that becomes the work tree: readable and writable inside. Once the sandbox has ended it holds what was there. */
  readonly workTree: string
  /** Whether anybody looks at the work tree when the sandbox has ended; default: yes. Where it has to be fetched it is not, then. */
  readonly isTreeWanted?: boolean
  /** Host directory for this sandbox's own needs (tmp, sockets); made and removed by the executor. */
  readonly scratch: string
  /** More host paths to show inside, read-only, at the same path. */
  readonly readOnly: readonly string[]
  /** The whole environment inside, besides PATH, HOME, TMPDIR, LANG which the executor sets. */
  readonly env: Readonly<Record<string, string>>
  readonly limits: Limits
  /** Unix socket of the job's gateway on the host; inside it is the only way out. */
  readonly gatewaySocket: string | null
  readonly isolation: 'sandbox' | 'none'
  /** What it is for. Goes on the labels of what is made, so that a later server knows whose it is. */
  readonly job?: { readonly id: string; readonly epoch: number; readonly purpose: string }
  /** Image to run, where there are images; default: the executor's own. */
  readonly image?: string
  /** The least isolation that will do; default: what the executor gives. */
  readonly level?: IsolationLevel
  /** Graphics processors; default: none. */
  readonly gpus?: number
  /** Told in words how the making goes: an image that is pulled, a pod that waits and for what. */
  readonly note?: (text: string) => void
}

/** Why a process is over. */
export type Exit =
  | { readonly reason: 'exit'; readonly code: number }
  | { readonly reason: 'signal'; readonly signal: string }
  | { readonly reason: 'limit'; readonly limit: 'memory' | 'cpu' | 'disk' | 'file' }

export interface StartOptions {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly stdin: 'none' | 'pipe'
  /** Whether the program needs a way out by TCP: starts the relay that listens inside on 127.0.0.1 (see `Sandbox.relayUrl`). */
  readonly network: boolean
}

export interface SandboxProcess {
  readonly identity: ProcessIdentity
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Fulfils once the process and its output streams are over. Never rejects. */
  wait(): Promise<Exit>
  /** Sends to the program, not to what else lives in the sandbox. */
  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void
}

export interface SandboxStats {
  readonly cpuMs: number
  readonly memoryBytes: number
  readonly processes: number
  readonly diskBytes: number
}

/** Of a place that cannot be lost while its orchestrator lives. */
export const NEVER_LOST: AbortSignal = new AbortController().signal

/** A place to run programs in. What runs in it when it is lost ends as if by SIGKILL. */
export interface Sandbox {
  readonly isolation: IsolationLevel
  /** Whose programs are inside: those of this machine at their own paths, or those of an image. */
  readonly programs: 'host' | 'image'
  /** Which image it really is; null: it is none. */
  readonly image: UsedImage | null
  /** The work tree as a program inside sees it. */
  readonly workDir: string
  /** Where the relay listens inside, as a URL without a path; null without a gateway. */
  readonly relayUrl: string | null
  /**
   * Aborts, with a SandboxError of code `lost`, when the place is gone by no doing of ours: evicted, preempted,
   * deleted, its machine dead. It does so before the programs in it are told to have ended.
   */
  readonly lost: AbortSignal
  /** @throws {SandboxError} when it cannot be started. */
  start(options: StartOptions): Promise<SandboxProcess>
  stats(): Promise<SandboxStats>
  /** Signals everything inside. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Ends everything inside; when it fulfils no program runs any more, and none can be started. May be called again. */
  end(): Promise<void>
  /** The same, and removes what `prepare` made, but not the work tree. May be called again. */
  cleanup(): Promise<void>
}

/** How a sandbox is made. */
export interface Executor {
  readonly kind: ExecutorKind
  /** Whose programs its sandboxes have; see `Sandbox.programs`. */
  readonly programs: Sandbox['programs']
  probe(): Promise<ExecutorProbe>
  /** What it can give now; null when that is what the machine can give. @throws {SandboxError} when that cannot be found out */
  capacity(): Promise<ExecutorCapacity | null>
  /** @throws {SandboxError} and leaves nothing behind then. */
  prepare(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox>
  /** The sandboxes of this node that exist. @throws {SandboxError} */
  workloads(): Promise<readonly Workload[]>
  /** After a crash: ends recorded processes that still live, and everything that carries a sandbox id of this node. @returns how many were ended. */
  reap(recorded: readonly ProcessIdentity[]): Promise<number>
  /** Lets go of what is kept from one sandbox to the next. No sandbox may be left. */
  close(): Promise<void>
}

/**
 * `unavailable`: this machine cannot make such a sandbox. `not_found`: no such program inside. `image_unavailable`: the image cannot be had.
 * `image_unsuitable`: it can, but nothing of ours can run in it. `unschedulable`: no place for it now, so waiting helps: the attempt is given
 * back. `quota_exceeded`: a limit that somebody set forbids it, however long one waits. `lost`: it was there and is gone: the job is placed
 * again. `failed`: anything else.
 */
export type SandboxErrorCode =
  | 'unavailable'
  | 'not_found'
  | 'image_unavailable'
  | 'image_unsuitable'
  | 'unschedulable'
  | 'quota_exceeded'
  | 'lost'
  | 'failed'

export class SandboxError extends Error {
  readonly code: SandboxErrorCode
  readonly remedy: string | undefined

  constructor(code: SandboxErrorCode, detail: string, options: { cause?: unknown; remedy?: string } = {}) {
    super(detail, { cause: options.cause })
    this.name = 'SandboxError'
    this.code = code
    this.remedy = options.remedy
  }
}
