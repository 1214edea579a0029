import { access } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ApplyWorkspaceEditResult,
  type ClientCapabilities,
  type Connection,
  type InitializeParams,
  MessageType,
  ShowMessageNotification,
  type WorkspaceEdit,
} from 'vscode-languageserver/node'
import { ApiError } from '#shared/contract/index.ts'
import { LSP_NOTIFICATIONS, type ServerState, type SpecsChangedParams } from '#shared/contract/lsp.ts'
import type { SpecOffer } from '#shared/model/index.ts'
import { answerLanguage } from './language/answers.ts'
import { propose } from './language/proposals.ts'
import type { Session } from './orchestrator/session.ts'
import type { Following } from './orchestrator/subscriptions.ts'
import { createTaskJobs } from './task-jobs.ts'
import { throttle } from './throttle.ts'

/** Between two `skein/specsChanged`, ms. */
const TELL_MS = 200
const TAKE = 'Apply'
/** One of them makes a work tree one with specs. */
const FOLDERS = ['specs', '.specify']

/** Spec Kit's documents in the editor, with what the orchestrator knows of their tasks. */
export interface Specs {
  initialize(params: InitializeParams): void
  /** After the editor said `initialized`. */
  start(): void
  serverState(state: ServerState): void
  close(): void
}

/** @param session there from `initialize` on */
export function serveSpecs(
  connection: Connection,
  { session, failed }: { session(): Session; failed(error: unknown): void },
): Specs {
  const over = new AbortController()
  const client = () => session().client(over.signal)
  const changedRoots = new Set<string>()
  /** Work trees whose proposals come to this editor. */
  const attended = new Map<string, Following | null>()
  let capabilities: ClientCapabilities = {}
  /** One proposal at a time is shown. */
  let proposals = Promise.resolve()

  const tell = throttle(TELL_MS, () => {
    const repositories = [...changedRoots]
    changedRoots.clear()
    void connection.sendNotification(LSP_NOTIFICATIONS.specsChanged, { repositories } satisfies SpecsChangedParams).catch(failed)
  })
  function specsChanged(roots: readonly string[]): void {
    for (const root of roots) changedRoots.add(root)
    if (changedRoots.size > 0) tell.call()
  }

  const jobs = createTaskJobs({
    client,
    changed: (root, feature) => language.jobsChanged(root, feature),
    moved: () => specsChanged(language.roots()),
    failed,
  })
  const language = answerLanguage(connection, {
    jobs,
    filesChanged(roots) {
      specsChanged(roots)
      attend()
    },
    foldersChanged: attend,
    failed,
  })

  function attend(): void {
    // Who cannot take a change lets it be written to a branch.
    if (!capabilities.workspace?.applyEdit) return
    const roots = language.roots()
    for (const [root, following] of attended) {
      if (roots.includes(root)) continue
      attended.delete(root)
      following?.end()
    }
    for (const root of roots) if (!attended.has(root)) void attendRoot(root).catch(failed)
  }

  async function attendRoot(root: string): Promise<void> {
    attended.set(root, null)
    const found = await Promise.all(
      FOLDERS.map(folder =>
        access(join(root, folder)).then(
          () => true,
          () => false,
        ),
      ),
    )
    if (over.signal.aborted || attended.get(root) !== null) return
    if (!found.includes(true)) return void attended.delete(root)
    const following = session().follow({ name: 'specs', repository: root }, undefined, async item => {
      if (item.type === 'offer') proposals = proposals.then(() => show(root, item.offer)).catch(failed)
    })
    attended.set(root, following)
  }

  /** Applies nothing that the person has not seen: an editor that cannot show it is asked in words. */
  async function apply(label: string, edit: WorkspaceEdit): Promise<ApplyWorkspaceEditResult> {
    if (!capabilities.workspace?.workspaceEdit?.changeAnnotationSupport) {
      const question = `A change of the specs is proposed: ${label}`
      const answer = await connection.window.showInformationMessage(question, { title: TAKE }, { title: 'Refuse' })
      if (answer?.title !== TAKE) return { applied: false }
    }
    return await connection.workspace.applyEdit({ label, edit: language.supported(edit) })
  }

  const show = (root: string, offer: SpecOffer): Promise<void> =>
    propose(root, offer, {
      feature: language.feature,
      apply,
      async answer(id, outcome, detail) {
        try {
          await (await client()).answerSpecOffer({ params: { id }, body: { outcome, detail } })
        } catch (error) {
          // Another window shows the same offer, and the person answered there.
          if (!(error instanceof ApiError && error.code === 'already_answered')) throw error
        }
      },
      warn: message =>
        void connection.sendNotification(ShowMessageNotification.type, { type: MessageType.Warning, message }).catch(failed),
    })

  return {
    initialize(params) {
      capabilities = params.capabilities
      language.initialize(params)
    },
    start() {
      language.start()
      session().follow({ name: 'jobs' }, undefined, async item => {
        if (item.type === 'event') jobs.event(item.event)
      })
      attend()
    },
    serverState(state) {
      if (state.state === 'ready') jobs.refresh()
    },
    close() {
      over.abort()
      jobs.close()
      tell.stop()
    },
  }
}
