import type { Readable } from 'node:stream'
import type { SandboxProcess } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import { received } from '#server/lib/received.ts'
import { type Agent, type AgentSession, exitFailure } from '../index.ts'

/** Runs any program as the agent of a job; its exit code decides. It is told of the job's model endpoint, if there is one, by OpenAI's usual names. */
export function commandAgent({ clock, graceMs }: { clock: Clock; graceMs: number }): Agent {
  return {
    id: 'command',
    title: 'Any program',
    kind: 'command',
    async probe() {
      return {
        id: 'command',
        title: 'Any program',
        kind: 'command',
        usable: true,
        command: null,
        version: null,
        detail: 'Runs the program a job names (`skein run … -- program`).',
        remedy: null,
      }
    },
    needs: async () => ({ readOnly: [], env: {}, network: false, model: false }),
    async run(session) {
      const { argv, sandbox, endpoint, signal } = session
      if (!argv) throw new Error('Agent "command" was given no program; admission should have refused the job')
      const env: Record<string, string> =
        endpoint === null
          ? {}
          : { OPENAI_BASE_URL: endpoint.baseUrl, OPENAI_API_KEY: endpoint.token, OPENAI_MODEL: endpoint.model }
      const child = await sandbox.start({ argv, env, stdin: 'none', network: sandbox.relayUrl !== null })
      await session.started(child.identity, 'agent')
      const stopEnding = endOnAbort(child, session, { clock, graceMs, signal })
      try {
        const [exit] = await Promise.all([child.wait(), forward(child.stdout, session), forward(child.stderr, session)])
        return exitFailure(exit, argv[0] ?? 'the program') ?? { ok: true, exitCode: 0, stopReason: 'exit 0' }
      } finally {
        stopEnding()
      }
    },
  }
}

async function forward(stream: Readable, session: AgentSession): Promise<void> {
  for await (const piece of received(stream)) await session.log(piece)
}

/** Asks the program to end when the session is over, and ends all of the sandbox when it has not by the end of the grace time. */
function endOnAbort(
  child: SandboxProcess,
  { sandbox }: AgentSession,
  how: { clock: Clock; graceMs: number; signal: AbortSignal },
): () => void {
  let cancelKill = () => {}
  const end = () => {
    child.signal('SIGTERM')
    cancelKill = how.clock.after(how.graceMs, () => void sandbox.signal('SIGKILL'))
  }
  how.signal.addEventListener('abort', end, { once: true })
  if (how.signal.aborted) end()
  return () => {
    how.signal.removeEventListener('abort', end)
    cancelKill()
  }
}
