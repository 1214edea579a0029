import { dirname } from 'node:path'
import type { SandboxProcess } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { AgentInfo, Config } from '#shared/model/index.ts'
import { type Agent, type AgentOutcome, type AgentSession, exitFailure } from '../index.ts'
import { findProgram, type Program, versionOf } from './find.ts'
import { ACP_AGENTS, type AcpEntry, obstacle } from './table.ts'

/** Last output of an agent that is quoted when it fails, characters. */
const MAX_LAST_WORDS = 2_000
/** From the end of an agent, or of its connection, until the other is taken as over too, ms. */
const LAST_MOMENT_MS = 500

export interface AcpDeps {
  /** How to start an agent where the table is not right; by id. */
  readonly overrides: Config['agents']
  /** PATH to search. */
  readonly path: string
  readonly clock: Clock
  /** From asking an agent to end until it is killed, ms. */
  readonly graceMs: number
}

const USABLE = [...ACP_AGENTS.filter(entry => obstacle(entry) === null).map(({ id }) => id), 'builtin']

/** Every agent of the table, found on this machine or not. */
export function acpAgents(deps: AcpDeps): Agent[] {
  return ACP_AGENTS.map(entry => acpAgent(entry, deps))
}

function acpAgent(entry: AcpEntry, deps: AcpDeps): Agent {
  const { overrides, path } = deps
  const { command = entry.command, args = entry.args, env: extra = {} } = overrides[entry.id] ?? {}
  const { id, title } = entry
  let versions: { file: string; version: Promise<string | null> } | null = null

  async function find(): Promise<{ program: Program; version: string | null } | null> {
    const program = await findProgram(command, path)
    if (!program) return null
    if (versions?.file !== program.file) versions = { file: program.file, version: versionOf(program, path) }
    return { program, version: await versions.version }
  }

  return {
    id,
    title,
    kind: 'acp',
    async probe(): Promise<AgentInfo> {
      const found = await find()
      const common = { id, title, kind: 'acp', command: found?.program.command ?? null, version: found?.version ?? null } as const
      if (!found) return { ...common, usable: false, detail: `${command} is not on PATH.`, remedy: entry.install }
      const detail = obstacle(entry)
      if (detail !== null)
        return { ...common, usable: false, detail, remedy: `Use one that asks by OpenAI chat completions: ${USABLE.join(', ')}.` }
      return { ...common, usable: true, detail: `Speaks the Agent Client Protocol (${command} ${args.join(' ')}).`, remedy: null }
    },
    async needs(programs = 'host') {
      if (programs === 'image') return { readOnly: [], env: extra, network: true, model: true }
      const found = await find()
      // Agents written in JavaScript are started by the node of the sandbox's PATH.
      return {
        readOnly: found ? [...found.program.mounts, dirname(process.execPath)] : [],
        env: extra,
        network: true,
        model: true,
      }
    },
    async run(session) {
      const found = await find()
      if (!found)
        return { ok: false, code: 'agent_missing', detail: `${title} is not usable on this machine any more.`, exitCode: null }
      if (!session.endpoint) throw new Error(`${title} was given no model; the attempt should have been refused`)
      const env = { ...entry.env({ ...session.endpoint, policy: session.policy }), ...extra }
      const { sandbox } = session
      // An image brings its own, which need not be where ours is.
      const program = sandbox.programs === 'host' ? found.program.command : command
      const child = await sandbox.start({ argv: [program, ...args], env, stdin: 'pipe', network: true })
      await session.started(child.identity, 'agent')
      return await runTurn(child, session, title, deps)
    },
  }
}

async function runTurn(
  child: SandboxProcess,
  session: AgentSession,
  title: string,
  { clock, graceMs }: AcpDeps,
): Promise<AgentOutcome> {
  const { signal, sandbox } = session
  let lastWords = ''
  const listen = async () => {
    for await (const chunk of child.stderr as AsyncIterable<Uint8Array>) {
      lastWords = (lastWords + Buffer.from(chunk).toString()).slice(-MAX_LAST_WORDS)
      await session.log(chunk)
    }
  }
  child.stdin?.on('error', () => {})
  const listening = listen().catch(() => {})
  let cancelKill = () => {}
  // The protocol's own cancel goes first (see converse); what does not heed it is ended.
  const end = () => {
    cancelKill = clock.after(graceMs, () => void sandbox.signal('SIGKILL'))
  }
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  const quote = (detail: string) => (lastWords.trim() === '' ? detail : `${detail} Its last words: ${lastWords.trim()}`)
  try {
    // Loaded when first used: a server that runs no such agent starts without it.
    const { converse } = await import('./conversation.ts')
    const turn = converse(child, session, clock.after).then(
      stopReason => ({ stopReason }),
      (error: unknown) => ({ error }),
    )
    const gone = child.wait().then(exit => ({ exit }))
    const first = await Promise.race([turn, gone])
    // An agent may end itself with its last answer still on the way, and one that dies first closes the connection.
    const soon = new Promise<null>(resolve => clock.after(LAST_MOMENT_MS, () => resolve(null)))
    const answer = 'stopReason' in first ? first : await Promise.race([turn, soon])
    if (answer && 'stopReason' in answer) return ending(answer.stopReason, title)
    const last = await Promise.race([gone, soon])
    const failure = last && exitFailure(last.exit, title)
    if (failure) return { ...failure, detail: quote(`${failure.detail} in the middle of its turn.`) }
    if (!answer || last)
      return { ok: false, code: 'agent_protocol', detail: quote(`${title} ended in the middle of its turn.`), exitCode: 0 }
    const reason = answer.error instanceof Error ? answer.error.message : JSON.stringify(answer.error)
    return {
      ok: false,
      code: 'agent_protocol',
      detail: quote(`${title} did not keep to the Agent Client Protocol: ${reason}.`),
      exitCode: null,
    }
  } finally {
    signal.removeEventListener('abort', end)
    cancelKill()
    child.signal('SIGTERM')
    await sandbox.signal('SIGKILL')
    await listening
  }
}

/** What the agent says of its own end; https://agentclientprotocol.com/protocol/prompt-turn#stop-reasons. */
function ending(
  stopReason: 'end_turn' | 'max_tokens' | 'max_turn_requests' | 'refusal' | 'cancelled',
  title: string,
): AgentOutcome {
  switch (stopReason) {
    case 'end_turn':
      return { ok: true, exitCode: null, stopReason }
    case 'cancelled':
      return { ok: false, code: 'agent_failed', detail: `${title} was cancelled.`, exitCode: null }
    case 'max_tokens':
    case 'max_turn_requests':
      return { ok: false, code: 'agent_failed', detail: `${title} stopped before it was done: ${stopReason}.`, exitCode: null }
    case 'refusal':
      return { ok: false, code: 'agent_failed', detail: `${title} refused the task.`, exitCode: null }
  }
}
