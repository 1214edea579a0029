import type { Exit, Sandbox } from '#server/executors/index.ts'
import type { AgentEvent, AgentInfo, JobId, PermissionPolicy } from '#shared/model/index.ts'

/** An agent event before the attempt's epoch is put on it. */
type WithoutEpoch<E> = E extends unknown ? Omit<E, 'epoch'> : never
export type AgentReport = WithoutEpoch<AgentEvent>

export interface PermissionRequest {
  readonly title: string
  readonly detail: string
  readonly options: readonly { id: string; name: string; kind: 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always' }[]
}

/** One run of an agent inside a sandbox that is ready. */
export interface AgentSession {
  readonly jobId: JobId
  readonly task: string
  readonly argv: readonly string[] | null
  readonly sandbox: Sandbox
  /** The OpenAI endpoint as the inside sees it, with the job's own token; null when the node has no model. */
  readonly endpoint: { readonly baseUrl: string; readonly token: string; readonly model: string } | null
  readonly policy: PermissionPolicy
  /** Tells of something at once; resolves when more may be told. */
  report(event: AgentReport): Promise<void>
  /** Text or raw bytes for the job's log; resolves when more may be given. */
  log(bytes: Uint8Array | string): Promise<void>
  /** Asks whoever answers (policy or person). @returns the id of the chosen option, or null when the request was cancelled. */
  permission(request: PermissionRequest): Promise<string | null>
  /** Called with each process the agent starts, before it does anything. */
  started(process: { pid: number; startTime: string }, purpose: string): Promise<void>
  readonly signal: AbortSignal
}

export type AgentOutcome =
  | { readonly ok: true; readonly exitCode: number | null; readonly stopReason: string }
  | {
      readonly ok: false
      readonly code: 'agent_failed' | 'agent_protocol' | 'agent_missing' | 'limit_memory' | 'limit_cpu' | 'limit_disk'
      readonly detail: string
      readonly exitCode: number | null
    }

/** What an agent needs around it before it can start. */
export interface AgentNeeds {
  /** Host paths to show inside, read-only. */
  readonly readOnly: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Whether it talks TCP to the gateway (through the relay). */
  readonly network: boolean
  /** Whether it cannot work without a model. */
  readonly model: boolean
}

/** A coding agent: how to find it and how to talk to it. */
export interface Agent {
  readonly id: string
  readonly title: string
  readonly kind: 'command' | 'builtin' | 'acp'
  /** Looks for it on this machine. Cheap to call again. */
  probe(): Promise<AgentInfo>
  /** @param programs whose are in the sandbox (`Sandbox.programs`); default: this machine's */
  needs(programs?: Sandbox['programs']): Promise<AgentNeeds>
  /** Runs to the end; aborting `signal` ends it (politely, then not). @throws only for programming errors. */
  run(session: AgentSession): Promise<AgentOutcome>
}

/** Maps how a process ended to what that means for an agent. */
export function exitFailure(exit: Exit, name: string): Extract<AgentOutcome, { ok: false }> | null {
  switch (exit.reason) {
    case 'exit':
      return exit.code === 0
        ? null
        : { ok: false, code: 'agent_failed', detail: `${name} exited with code ${exit.code}`, exitCode: exit.code }
    case 'signal':
      return { ok: false, code: 'agent_failed', detail: `${name} was ended by ${exit.signal}`, exitCode: null }
    case 'limit':
      return exit.limit === 'file'
        ? { ok: false, code: 'limit_disk', detail: `${name} wrote a file past its size limit`, exitCode: null }
        : {
            ok: false,
            code: `limit_${exit.limit}`,
            detail: `${name} used more ${exit.limit} than the job allows`,
            exitCode: null,
          }
  }
}
