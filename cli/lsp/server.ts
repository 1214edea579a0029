import { type Connection, ErrorCodes, type InitializeResult, LSPErrorCodes, ResponseError } from 'vscode-languageserver/node'
import { messageOf } from '#server/lib/message-of.ts'
import { VERSION } from '#server/lib/version.ts'
import { type DoctorAnswer, LSP_NOTIFICATIONS, type ServerState } from '#shared/contract/index.ts'
import { LspInitialization } from '#shared/contract/lsp-input.ts'
import { sanitizeLine } from '#shared/model/index.ts'
import { EXIT } from '../exit-codes.ts'
import type { Terminal } from '../terminal.ts'
import type { World } from '../world.ts'
import { CAPABILITIES } from './language/answers.ts'
import { type LocateOptions, locate, settings } from './orchestrator/locate.ts'
import { answerRequests } from './orchestrator/requests.ts'
import { createSession, type Session } from './orchestrator/session.ts'
import { logFileOf } from './orchestrator/start.ts'
import { serveSpecs } from './specs.ts'

/** Columns of the text of `skein/doctor`. */
const DOCTOR_COLUMNS = 120

/** Answers an editor on a connection, from `initialize` on. */
export function serveEditor(connection: Connection, world: World): void {
  let options: LocateOptions | null = null
  let opened: Session | null = null
  // Where nobody reads any more, this process is about to end.
  const log = (line: string): void => void world.err.line(`${new Date().toISOString()} ${line}`).catch(() => {})
  const session = (): Session => {
    if (!opened) throw new ResponseError(ErrorCodes.ServerNotInitialized, 'The first request is `initialize`.')
    return opened
  }
  const specs = serveSpecs(connection, {
    session,
    failed: error => log(`failed ${sanitizeLine(messageOf(error))}`),
  })

  connection.onInitialize(async (params): Promise<InitializeResult | ResponseError<{ retry: boolean }>> => {
    const parsed = LspInitialization.safeParse(params.initializationOptions ?? {})
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      const why = `initializationOptions, ${issue?.path.join('.') || 'as a whole'}: ${issue?.message}`
      return new ResponseError(LSPErrorCodes.RequestFailed, why, { retry: false })
    }
    const { server } = parsed.data
    options = server
    const logFile = await logFileFor(world, server)
    opened = createSession({
      locate: signal => locate(world, server, signal),
      logFile,
      changed(state) {
        log(`server ${describe(state)}`)
        void connection.sendNotification(LSP_NOTIFICATIONS.serverState, state).catch(() => {})
        specs.serverState(state)
      },
      random: Math.random,
    })
    specs.initialize(params)
    return { capabilities: CAPABILITIES, serverInfo: { name: 'skein', version: VERSION } }
  })
  connection.onInitialized(() => {
    session().start()
    specs.start()
  })
  connection.onShutdown(() => {
    specs.close()
    opened?.close()
  })

  answerRequests(connection, { session, doctor: () => examine(world, options) })
}

/** Where a server that is started for an editor writes its log; null when none is started here, or its settings are wrong. */
async function logFileFor(world: World, options: LocateOptions): Promise<string | null> {
  if (options.address !== null) return null
  try {
    return logFileOf((await settings(world, options)).config.dataDir)
  } catch {
    return null
  }
}

/** For this process's own log. */
function describe(state: ServerState): string {
  const what = state.state === 'ready' ? `${state.url} (${state.node}, ${state.version})` : (state.reason ?? '')
  return `${state.state} ${sanitizeLine(what)}`.trimEnd()
}

/** What `skein doctor` says on this machine. */
async function examine(world: World, options: LocateOptions | null): Promise<DoctorAnswer> {
  const { doctor } = await import('../commands/doctor.ts')
  let text = ''
  const write = async (data: string | Uint8Array) => {
    text += data.toString()
  }
  const out: Terminal = {
    ...{ isTerminal: false, colour: false, columns: DOCTOR_COLUMNS },
    paint: (_, painted) => painted,
    write,
    line: (line = '') => write(`${line}\n`),
  }
  const { dataDir = null, config = null } = options ?? {}
  const code = await doctor(
    { ...world, out },
    { ...(dataDir === null ? {} : { dataDir }), ...(config === null ? {} : { config }) },
  )
  return { text, isHealthy: code === EXIT.ok }
}
