import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createProtocolConnection,
  type Diagnostic,
  type InitializeParams,
  InitializeRequest,
  type InitializeResult,
  type ProtocolConnection,
  PublishDiagnosticsNotification,
} from 'vscode-languageserver/node'
import {
  type CallParams,
  type CallResult,
  LSP_NOTIFICATIONS,
  LSP_REQUESTS,
  type LspInitialization,
  type OperationName,
  type Operations,
  type ServerState,
  type StreamItem,
  type StreamParams,
  type SubscribeParams,
  type Topic,
} from '#shared/contract/index.ts'

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** A user's machine: where the orchestrators of its windows keep what they have. They are ended with it. */
export interface Desk extends AsyncDisposable {
  readonly dataDir: string
  /** Opens a window: a process of `skein lsp` and the client at its other end. */
  open(options?: OpenOptions): Promise<Editor>
  /** Pid of the orchestrator that runs. */
  orchestrator(): number
}

export interface OpenOptions {
  readonly server?: NonNullable<LspInitialization>['server']
  readonly params?: Partial<InitializeParams>
  /** What is started; default: the sources. */
  readonly command?: readonly [program: string, ...args: string[]]
}

/** One window of an editor, by its way to Skein. */
export interface Editor {
  readonly connection: ProtocolConnection
  readonly initialized: InitializeResult
  readonly states: readonly ServerState[]
  /** Waits until the state of the server fits, from the `after`th that was told on. */
  state<S extends ServerState['state']>(name: S, after?: number): Promise<Extract<ServerState, { state: S }>>
  call<Name extends OperationName>(operation: Name, input?: object): Promise<CallResult<Operations[Name]>>
  subscribe(topic: Topic, cursor?: number): Promise<Stream>
  /** What an editor shows as wrong in a document now. */
  problems(uri: string): readonly Diagnostic[]
  /** Waits until something that was told fits. */
  until<T>(find: () => T | undefined): Promise<T>
  /** Leaves as an editor does. @returns the exit code */
  close(): Promise<number | null>
  /** Ends the process as a crash of the editor does, with all of its process group. */
  kill(): Promise<void>
}

/** What came of one subscription. */
export interface Stream {
  readonly subscription: number
  readonly items: readonly StreamItem[]
  readonly cursors: readonly (number | null)[]
  until(fits: (items: readonly StreamItem[]) => boolean): Promise<void>
  /** Bytes of its log. */
  log(): string
}

/** Calls back whenever something was told, until what is waited for is there. */
function createWaiting() {
  const waiting = new Set<() => void>()
  return {
    told: () => {
      for (const look of waiting) look()
    },
    until: <T>(find: () => T | undefined): Promise<T> =>
      new Promise(resolve => {
        const look = () => {
          const found = find()
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

export async function openDesk(env: Readonly<Record<string, string>> = {}): Promise<Desk> {
  const home = mkdtempSync(join(tmpdir(), 'skein-desk-'))
  const dataDir = join(home, 'data')
  const children: ChildProcess[] = []
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    SKEIN_DATA_DIR: dataDir,
    API_PORT: '0',
    OLLAMA_HOST: 'http://127.0.0.1:9',
    SKEIN_TAILSCALE_SOCKET: 'off',
    ...env,
  }
  return {
    dataDir,
    orchestrator: () => (JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8')) as { pid: number }).pid,
    async open({ server, params, command = [process.execPath, PROGRAM] } = {}) {
      const [program, ...args] = command
      const child = spawn(program, [...args, 'lsp', '--stdio'], {
        cwd: home,
        env: environment,
        stdio: ['pipe', 'pipe', 'ignore'],
        // A group of its own, to be ended as a whole.
        detached: true,
      })
      children.push(child)
      return await connect(child, { capabilities: {}, rootUri: null, initializationOptions: { server }, ...params })
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await endOf(child, 'SIGKILL')
      // Of several windows each may have started one: those that lost the race end by themselves, but not before they have begun.
      for (let pids = serversOf(dataDir); pids.length > 0; pids = serversOf(dataDir))
        for (const pid of pids) await endProcess(pid)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function connect(child: ChildProcess, params: Partial<InitializeParams>): Promise<Editor> {
  if (!child.stdout || !child.stdin) throw new Error('it has no pipes')
  child.stdin.on('error', () => {})
  const connection = createProtocolConnection(child.stdout, child.stdin)
  const { told, until } = createWaiting()
  const states: ServerState[] = []
  const streams = new Map<number, StreamParams[]>()
  const problems = new Map<string, readonly Diagnostic[]>()
  connection.onNotification(LSP_NOTIFICATIONS.serverState, (state: ServerState) => {
    states.push(state)
    told()
  })
  connection.onNotification(LSP_NOTIFICATIONS.stream, (said: StreamParams) => {
    streams.get(said.subscription)?.push(said)
    told()
  })
  connection.onNotification(PublishDiagnosticsNotification.type, ({ uri, diagnostics }) => {
    problems.set(uri, diagnostics)
    told()
  })
  connection.listen()
  const given = { processId: process.pid, workspaceFolders: null, ...params } as InitializeParams
  const initialized = await connection.sendRequest(InitializeRequest.type, given)
  await connection.sendNotification('initialized', {})
  let last = 0
  return {
    connection,
    initialized,
    states,
    state: <S extends ServerState['state']>(name: S, after = 0) =>
      until(() => states.slice(after).find((state): state is Extract<ServerState, { state: S }> => state.state === name)),
    call: (operation, input) =>
      connection.sendRequest(LSP_REQUESTS.call, { operation, ...(input === undefined ? {} : { input }) } as CallParams),
    async subscribe(topic, cursor) {
      const subscription = ++last
      const said: StreamParams[] = []
      streams.set(subscription, said)
      const params: SubscribeParams = { subscription, topic, ...(cursor === undefined ? {} : { cursor }) }
      await connection.sendRequest(LSP_REQUESTS.subscribe, params)
      const items = () => said.map(({ item }) => item)
      return {
        subscription,
        get items() {
          return items()
        },
        get cursors() {
          return said.map(one => one.cursor)
        },
        until: fits => until(() => (fits(items()) ? true : undefined)).then(() => {}),
        log: () =>
          Buffer.concat(items().flatMap(item => (item.type === 'log' ? [Buffer.from(item.base64, 'base64')] : []))).toString(),
      }
    },
    problems: uri => problems.get(uri) ?? [],
    until,
    async close() {
      await connection.sendRequest('shutdown')
      const gone = once(child, 'exit')
      await connection.sendNotification('exit')
      const [code] = (await gone) as [number | null]
      return code
    },
    async kill() {
      const gone = once(child, 'exit')
      process.kill(-(child.pid ?? 0), 'SIGKILL')
      await gone
    },
  }
}

/** Processes that were started to serve a data directory. */
function serversOf(dataDir: string): number[] {
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return []
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(dataDir) ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

/** Ends a process that is nobody's child here, and waits until it is gone. */
export async function endProcess(pid: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  try {
    process.kill(pid, signal)
    for (;;) {
      process.kill(pid, 0)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  } catch {
    // There is no such process any more.
  }
}
