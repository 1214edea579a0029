import { join } from 'node:path'
import * as vscode from 'vscode'
import type { LspInitialization } from '#shared/contract/index.ts'
import { onSetting, setting } from '../ui/settings.ts'
import type { Backend, Wire } from './backend.ts'
import { restartPauseMs } from './restart.ts'

type Library = typeof import('./language-client.ts')
type LanguageClient = InstanceType<Library['LanguageClient']>

export interface StartOptions {
  readonly extensionPath: string
  readonly backend: Backend
  readonly log: vscode.LogOutputChannel
  /** The token for `skein.server.address`, where one was given. */
  readonly token: () => Promise<string | undefined>
  readonly onToken: vscode.Event<unknown>
}

/** Where Spec Kit keeps its documents. */
const SPEC_FILES = '**/{specs,.specify}/**/*.md'

/**
 * Keeps `skein lsp` running beside the editor and gives its connection to the backend: again after it ended by itself, with growing pauses,
 * and anew after a setting of the server changed. Returns at once.
 */
export function startServerProcess(options: StartOptions): vscode.Disposable {
  const { backend, log } = options
  let client: LanguageClient | null = null
  let failures = 0
  let isOver = false
  let pause: NodeJS.Timeout | undefined
  let turn: Promise<void> = Promise.resolve()

  async function stop(): Promise<void> {
    const stopping = client
    client = null
    await stopping?.dispose().catch(error => log.warn(`The server process did not end in order: ${error}`))
  }
  async function start(): Promise<void> {
    if (isOver) return
    const library = await import('./language-client.ts')
    const { client: starting, died } = createClient(library, options, await initialization(options))
    client = starting
    died.then(() => {
      if (client === starting) failed('The server process ended')
    })
    try {
      await starting.start()
      await backend.attach(wireOf(starting))
      failures = 0
    } catch (error) {
      log.error(`Failed to start the server process: ${error instanceof Error ? error.message : error}`)
      if (client === starting) failed(`The server process could not be started: ${error instanceof Error ? error.message : error}`)
    }
  }
  function failed(reason: string): void {
    client = null
    failures += 1
    const retryInMs = restartPauseMs(failures)
    log.warn(`${reason}; next try in ${retryInMs} ms`)
    backend.detach(reason)
    clearTimeout(pause)
    pause = setTimeout(restart, retryInMs)
  }
  function restart(): void {
    clearTimeout(pause)
    turn = turn.then(stop).then(start)
  }
  restart()
  const settings = onSetting(
    ['skein.server.address', 'skein.server.start', 'skein.server.dataDir', 'skein.server.config', 'skein.server.node'],
    renew,
  )
  const token = options.onToken(renew)
  function renew(): void {
    backend.detach('The settings of the server changed')
    failures = 0
    restart()
  }
  return new vscode.Disposable(() => {
    isOver = true
    clearTimeout(pause)
    vscode.Disposable.from(settings, token).dispose()
    turn = turn.then(stop)
  })
}

async function initialization({ token }: StartOptions): Promise<LspInitialization> {
  const given = (value: string) => (value.trim() === '' ? null : value.trim())
  const address = given(setting('skein.server.address'))
  return {
    server: {
      address,
      token: address === null ? null : ((await token()) ?? null),
      dataDir: given(setting('skein.server.dataDir')),
      config: given(setting('skein.server.config')),
      // What is not trusted is looked at, and starts nothing.
      start: setting('skein.server.start') && vscode.workspace.isTrusted,
    },
  }
}

function createClient(library: Library, { extensionPath, log }: StartOptions, initializationOptions: LspInitialization) {
  const { LanguageClient, CloseAction, ErrorAction, TransportKind } = library
  const died = Promise.withResolvers<void>()
  const own = setting('skein.server.node').trim()
  const run = {
    module: join(extensionPath, 'bin', 'skein.mjs'),
    args: ['lsp'],
    // The editor's own Node runs it, unless another was named.
    runtime: own === '' ? process.execPath : own,
    transport: TransportKind.stdio,
    options: { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' } },
  }
  const client = new LanguageClient('skein', 'Skein', run, {
    documentSelector: [{ scheme: 'file', language: 'markdown', pattern: SPEC_FILES }],
    initializationOptions,
    outputChannel: log,
    synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher(SPEC_FILES) },
    // Starting again is decided in one place, for a process that never came up too.
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed() {
        died.resolve()
        return { action: CloseAction.DoNotRestart, handled: true }
      },
    },
  })
  return { client, died: died.promise }
}

function wireOf(client: LanguageClient): Wire {
  return {
    async request(method, params, signal) {
      if (!signal) return client.sendRequest(method, params)
      const source = new vscode.CancellationTokenSource()
      const cancel = () => source.cancel()
      signal.addEventListener('abort', cancel, { once: true })
      try {
        return await client.sendRequest(method, params, source.token)
      } finally {
        signal.removeEventListener('abort', cancel)
        source.dispose()
      }
    },
    onNotification: (method, handler) => client.onNotification(method, handler),
  }
}
