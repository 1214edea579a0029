import { Readable, Writable } from 'node:stream'
import {
  client,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  type PromptResponse,
  type RequestPermissionRequest,
} from '@agentclientprotocol/sdk'
import type { SandboxProcess } from '#server/executors/index.ts'
import { VERSION } from '#server/lib/version.ts'
import type { AgentSession, PermissionRequest } from '../index.ts'
import { createUpdates } from './updates.ts'

const MAX_MESSAGE_BYTES = 8 * 1024 * 1024
/** What a person asked for permission is shown: longest title, name and id, and longest detail, characters; most options. */
const MAX_NAME = 1024
const MAX_DETAIL = 4096
const MAX_OPTIONS = 20
/** Longest time from the start of an agent until it has a session, ms. */
const HANDSHAKE_MS = 60_000

/**
 * Speaks the Agent Client Protocol with a started agent: one session, one prompt, to the end of the turn. The agent works in the
 * sandbox by its own means, so it is offered neither files nor terminals of ours.
 * @throws when the agent does not keep to the protocol, or goes away.
 */
export async function converse(
  child: SandboxProcess,
  session: AgentSession,
  after: (ms: number, call: () => void) => () => void,
): Promise<PromptResponse['stopReason']> {
  const { sandbox, signal } = session
  if (!child.stdin) throw new Error('The agent was started without stdin')
  // The log is written in order, and the agent is read no faster than the log takes it.
  let logged: Promise<void> = Promise.resolve()
  const updates = createUpdates({
    report(event) {
      const room = session.report(event)
      logged = logged.then(() => room)
    },
    log: text => {
      logged = logged.then(() => session.log(text))
    },
  })
  const connection = client({ name: 'skein' })
    .onNotification(methods.client.session.update, async ({ params }) => {
      updates.take(params.update)
      await logged
    })
    .onRequest(methods.client.session.requestPermission, async ({ params }) => {
      const optionId = await session.permission(describe(params))
      return { outcome: optionId === null ? { outcome: 'cancelled' } : { outcome: 'selected', optionId } }
    })
    .connect(
      ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>, {
        maxMessageBytes: MAX_MESSAGE_BYTES,
      }),
    )
  const { agent } = connection
  const cancelHandshake = after(HANDSHAKE_MS, () =>
    connection.close(new Error(`The agent did not open a session within ${HANDSHAKE_MS / 1000} s`)),
  )
  try {
    const hello = await agent.request(methods.agent.initialize, {
      protocolVersion: PROTOCOL_VERSION,
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
      clientInfo: { name: 'skein', version: VERSION },
    })
    if (hello.protocolVersion !== PROTOCOL_VERSION)
      throw new Error(`The agent speaks version ${hello.protocolVersion} of the protocol; this node speaks ${PROTOCOL_VERSION}`)
    const { sessionId } = await agent.request(methods.agent.session.new, { cwd: sandbox.workDir, mcpServers: [] })
    cancelHandshake()
    const cancel = () => void agent.notify(methods.agent.session.cancel, { sessionId }).catch(() => {})
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const { stopReason } = await agent.request(methods.agent.session.prompt, {
        sessionId,
        prompt: [{ type: 'text', text: session.task }],
      })
      return stopReason
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  } finally {
    cancelHandshake()
    updates.end()
    await logged
    connection.close()
  }
}

function describe({ toolCall, options }: RequestPermissionRequest): PermissionRequest {
  return {
    title: (toolCall.title ?? toolCall.name ?? 'Use a tool').slice(0, MAX_NAME),
    detail: toolCall.rawInput === undefined ? '' : JSON.stringify(toolCall.rawInput).slice(0, MAX_DETAIL),
    // An id cannot be shortened, or the agent would not know it again.
    options: options
      .filter(({ optionId }) => optionId.length <= MAX_NAME)
      .slice(0, MAX_OPTIONS)
      .map(({ optionId, name, kind }) => ({ id: optionId, name: name.slice(0, MAX_NAME), kind })),
  }
}
