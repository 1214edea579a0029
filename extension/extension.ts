import * as vscode from 'vscode'
import { createBackend } from './backend/backend.ts'
import { sentence } from './backend/failure.ts'
import { jobSource, mirror, refreshSelf, specSource } from './backend/mirror.ts'
import { startServerProcess } from './backend/start.ts'
import { createTokens } from './backend/tokens.ts'
import { registerChat } from './chat/index.ts'
import { registerCommands } from './commands/index.ts'
import { runPageCommand } from './commands/page-command.ts'
import { askPermissions } from './commands/permissions.ts'
import { createPages } from './panels/pages.ts'
import { registerBlobs } from './result/blobs.ts'
import { createChanges } from './state/changes.ts'
import { systemClock } from './state/clock.ts'
import { createFleet } from './state/fleet.ts'
import { createHandled } from './state/handled.ts'
import { createJobList } from './state/job-list.ts'
import { createJobs } from './state/jobs.ts'
import { createSpecs } from './state/specs.ts'
import { createStarted } from './state/started.ts'
import { setContext } from './ui/context-keys.ts'
import { tellOfEnds } from './ui/job-ends.ts'
import { createStatusBar } from './ui/status-bar.ts'
import { createTextDocuments } from './ui/text-documents.ts'
import { t } from './ui/texts.ts'
import { createJobsView } from './views/jobs-view.ts'
import { createPeersView } from './views/peers-view.ts'
import { createSpecsView } from './views/specs-view.ts'

/** Called by the editor when a view, a command or a folder with Spec Kit documents needs the extension. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Skein', { log: true })
  const backend = createBackend(() =>
    vscode.workspace.isTrusted
      ? null
      : t('This workspace is not trusted: it is for looking only. *Workspaces: Manage Workspace Trust* changes that.'),
  )
  const tokens = createTokens(context.secrets)
  const texts = createTextDocuments()
  const started = createStarted(context.workspaceState)
  const jobChanges = createChanges(systemClock)
  const peerChanges = createChanges(systemClock)
  const fleet = createFleet(peerChanges)
  const jobs = createJobs(jobSource(backend), jobChanges)
  const specChanges = createChanges(systemClock)
  const specs = createSpecs({ source: specSource(backend), sentence })
  const handled = createHandled(context.globalState)
  const look = { now: systemClock.now, t, handling: handled.get }
  const list = createJobList(context.workspaceState)
  const view = createJobsView({ ...look, jobs, list, changes: jobChanges, clock: systemClock })
  const pages = createPages({
    backend,
    extensionUri: context.extensionUri,
    run: runPageCommand,
    titleOf: id => jobs.get(id)?.summary.title,
  })
  const peers = createPeersView({ ...look, fleet, jobs, changes: peerChanges })
  const specsView = createSpecsView({ backend, specs, sentence, t, changes: specChanges })

  context.subscriptions.push(
    ...[log, tokens, texts, jobChanges, peerChanges, view, peers, pages, specChanges, specsView],
    createStatusBar({ jobs, changes: jobChanges, state: () => backend.state, onState: backend.onState }),
    backend.onState(({ state }) => setContext('skein.server', state)),
    registerCommands({
      backend,
      jobs,
      list,
      pages,
      started,
      specs,
      specsView,
      handled,
      fleet,
      log,
      tokens,
      texts,
      refreshSelf: () => refreshSelf({ backend, fleet }),
    }),
    registerChat({
      backend,
      started,
      extensionUri: context.extensionUri,
      access: context.languageModelAccessInformation,
      warn: text => log.warn(text),
    }),
    registerBlobs(),
    askPermissions(backend, jobs),
    tellOfEnds(jobs, started),
    mirror({ backend, fleet, jobs, clock: systemClock, isFleetShown: () => peers.view.visible, warn: text => log.warn(text) }),
    startServerProcess({
      extensionPath: context.extensionPath,
      backend,
      log,
      token: tokens.get,
      onToken: tokens.onChange,
    }),
  )
}
