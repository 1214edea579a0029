import { VERSION } from '#server/lib/version.ts'
import { type Agent, type AgentSession, exitFailure } from '../index.ts'
import { Report } from './inside/protocol.ts'
import { lines } from './lines.ts'

/** A small agent of our own over any model, for machines that have no other. */
export function builtinAgent({ programFile, nodeFile = process.execPath }: { programFile: string; nodeFile?: string }): Agent {
  return {
    id: 'builtin',
    title: 'Built-in agent',
    kind: 'builtin',
    async probe() {
      const detail = 'A small loop of read, search, edit and run, over any model this node has.'
      return {
        id: 'builtin',
        title: 'Built-in agent',
        kind: 'builtin',
        usable: true,
        command: nodeFile,
        version: VERSION,
        detail,
        remedy: null,
      }
    },
    needs: async (programs = 'host') => ({
      readOnly: programs === 'host' ? [programFile, nodeFile] : [programFile],
      env: {},
      network: true,
      model: true,
    }),
    async run(session) {
      const { endpoint, sandbox, signal } = session
      if (!endpoint) throw new Error('The built-in agent was given no model; the attempt should have been refused')
      const node = sandbox.programs === 'host' ? nodeFile : 'node'
      const child = await sandbox.start({ argv: [node, programFile], stdin: 'pipe', network: true })
      await session.started(child.identity, 'agent')
      const end = () => child.signal('SIGKILL')
      signal.addEventListener('abort', end, { once: true })
      if (signal.aborted) end()
      child.stdin?.on('error', () => {})
      child.stdin?.end(JSON.stringify({ task: session.task, ...endpoint }))

      let last: Report | null = null
      const listen = async () => {
        for await (const line of lines(child.stdout)) last = (await relay(line, session)) ?? last
      }
      const complain = async () => {
        for await (const chunk of child.stderr as AsyncIterable<Uint8Array>) await session.log(chunk)
      }
      try {
        const [exit] = await Promise.all([child.wait(), listen(), complain()])
        const ending = last as Report | null
        if (ending?.type === 'failed') return { ok: false, code: 'agent_failed', detail: ending.detail, exitCode: null }
        const failure = exitFailure(exit, 'the built-in agent')
        if (failure) return failure
        if (ending?.type === 'done') return { ok: true, exitCode: null, stopReason: ending.reason }
        return {
          ok: false,
          code: 'agent_protocol',
          detail: 'The built-in agent ended without saying how it went.',
          exitCode: null,
        }
      } finally {
        signal.removeEventListener('abort', end)
      }
    },
  }
}

/** Turns a line into what it says. A line that says nothing we know is text. @returns the report when it is the last one */
async function relay(line: string, session: AgentSession): Promise<Report | null> {
  const parsed = Report.safeParse(parse(line))
  if (!parsed.success) {
    await session.log(`${line}\n`)
    return null
  }
  const report = parsed.data
  switch (report.type) {
    case 'log':
      await session.log(report.text)
      return null
    case 'message':
    case 'thought':
      await session.report({ type: `agent.${report.type}`, text: report.text })
      return null
    case 'tool': {
      const { id, path, type: _, ...call } = report
      await session.report({
        type: 'agent.tool',
        toolCallId: id,
        ...call,
        locations: path === null ? [] : [{ path, line: null }],
      })
      return null
    }
    case 'diff': {
      const { id, type: _, ...change } = report
      await session.report({ type: 'agent.diff', toolCallId: id, ...change })
      return null
    }
    case 'done':
    case 'failed':
      return report
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
