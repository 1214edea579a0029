import { join } from 'node:path'
import * as vscode from 'vscode'
import type { ApplyWorkspaceEditResult } from 'vscode-languageclient/node'
import type { LspInitialization } from '#shared/contract/index.ts'
import { onSetting, setting } from '../ui/settings.ts'
import { t } from '../ui/texts.ts'
import type { Backend, Wire } from './backend.ts'
import { takeProposal } from './proposals.ts'
import { restartPauseMs } from './restart.ts'

/** What is loaded once `activate` has returned. */
type Library = typeof import('./language-client.ts') & typeof import('./server-process.ts')
type LanguageClient = InstanceType<Library['QuietClient']>

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
/** A process that lived so long was a good one: the next pause is a short one, ms. */
const GOOD_MS = 10_000

/** One life of the process, with the connection to it. */
interface Run {
  readonly client: LanguageClient
  end(): Promise<void>
}

/**
 * Keeps `skein lsp` running beside the editor and gives its connection to the backend: again after it ended by itself, with growing pauses,
 * and anew after a setting of the server changed. Returns at once.
 */
export function startServerProcess(options: StartOptions): vscode.Disposable {
  const { backend, log } = options
  let current: Run | null = null
  let failures = 0
  let isOver = false
  let pause: NodeJS.Timeout | undefined
  let turn: Promise<void> = Promise.resolve()

  async function stop(): Promise<void> {
    const stopping = current
    current = null
    await stopping?.end().catch(error => log.warn(`The server process did not end in order: ${error}`))
  }
  async function start(): Promise<void> {
    if (isOver) return
    const begun = Date.now()
    const library: Library = { ...(await import('./language-client.ts')), ...(await import('./server-process.ts')) }
    const { client, child } = createClient(library, options, await initialization(options))
    const own: Run = {
      client,
      async end() {
        await client.dispose().catch(() => {})
        await child.end()
      },
    }
    current = own
    void child.ended.then(reason => {
      if (current !== own) return
      if (Date.now() - begun > GOOD_MS) failures = 0
      failed(reason)
    })
    try {
      await client.start()
      await backend.attach(wireOf(client))
    } catch (error) {
      log.debug(`No connection to the server process: ${error instanceof Error ? error.message : error}`)
      // One that answers nothing is ended; its end tells the rest.
      await child.end()
    }
  }
  function failed(reason: string): void {
    failures += 1
    const retryInMs = restartPauseMs(failures)
    log.error(`${reason}; next try in ${retryInMs} ms`)
    backend.detach({ state: 'lost', reason, remedy: null, retryInMs, logFile: null })
    clearTimeout(pause)
    pause = setTimeout(restart, retryInMs)
  }
  function restart(): void {
    clearTimeout(pause)
    turn = turn.then(stop).then(start)
  }
  function renew(): void {
    failures = 0
    backend.detach({ state: 'starting', reason: null })
    restart()
  }
  restart()
  const listening = vscode.Disposable.from(
    onSetting(
      ['skein.server.address', 'skein.server.start', 'skein.server.dataDir', 'skein.server.config', 'skein.server.node'],
      renew,
    ),
    options.onToken(renew),
    vscode.workspace.onDidGrantWorkspaceTrust(renew),
    backend.onRetry(() => {
      if (backend.state.state === 'lost') renew()
    }),
  )
  return new vscode.Disposable(() => {
    isOver = true
    clearTimeout(pause)
    listening.dispose()
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
  const { QuietClient, CloseAction, ErrorAction, startServer } = library
  const own = setting('skein.server.node').trim()
  // The editor's own Node runs it, unless another was named.
  const child = startServer(own === '' ? process.execPath : own, join(extensionPath, 'bin', 'skein.mjs'), log)
  const client = new QuietClient('skein', 'Skein', async () => child, {
    // Whatever language the editor takes them for: an extension may have one of its own for them.
    documentSelector: [{ scheme: 'file', pattern: SPEC_FILES }],
    middleware: {
      workspace: {
        handleApplyEdit: async (params, show) =>
          takeProposal(params, async edit => answerOf(await show(edit, new vscode.CancellationTokenSource().token)), {
            isTrusted: () => vscode.workspace.isTrusted,
            open: uri => vscode.workspace.openTextDocument(vscode.Uri.parse(uri)),
            t,
          }),
      },
    },
    initializationOptions,
    outputChannel: log,
    // Starting again is decided in one place, for a process that never came up too.
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
    },
  })
  return { client, child }
}

/** An error of the library is a refusal with a reason. */
function answerOf(answer: ApplyWorkspaceEditResult | Error): ApplyWorkspaceEditResult {
  return answer instanceof Error ? { applied: false, failureReason: answer.message } : answer
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
