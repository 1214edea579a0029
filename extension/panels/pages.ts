import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as vscode from 'vscode'
import type { JobId } from '#shared/model/index.ts'
import { pageDocument } from '#shared/webview/document.ts'
import type { PageManifest, PageMessage, PageState, Route } from '#shared/webview/index.ts'
import type { Backend } from '../backend/backend.ts'
import { plainLine } from '../rows/plain.ts'
import { complain } from '../ui/notice.ts'
import { t } from '../ui/texts.ts'
import { createPageSession, type PageSession, type PageSessionDeps } from './page-session.ts'

const VIEW_TYPE = 'skein.page'

export interface PagesDeps {
  readonly backend: Backend
  readonly extensionUri: vscode.Uri
  readonly run: PageSessionDeps['run']
  /** What is known of a job's title before its page has begun to say. */
  readonly titleOf: (id: JobId) => string | undefined
}
/** Pages of Skein in tabs of the editor, one of a kind each. */
export interface Pages extends vscode.Disposable {
  open(route: Route): void
}

export function createPages({ backend, extensionUri, run, titleOf }: PagesDeps): Pages {
  const open = new Map<string, { panel: vscode.WebviewPanel; session: PageSession }>()
  const folder = vscode.Uri.joinPath(extensionUri, 'dist', 'webviews')
  const options: vscode.WebviewOptions = { enableScripts: true, localResourceRoots: [folder] }

  async function fill(panel: vscode.WebviewPanel, route: Route): Promise<void> {
    const { webview } = panel
    const key = keyOf(route)
    const session = createPageSession(route, {
      backend,
      post: message => void webview.postMessage(message),
      setTitle: title => {
        panel.title = plainLine(title, 60)
      },
      run,
    })
    open.set(key, { panel, session })
    webview.options = options
    panel.iconPath = vscode.Uri.joinPath(extensionUri, 'media', 'skein.svg')
    const listening = webview.onDidReceiveMessage((message: PageMessage) => session.receive(message))
    panel.onDidDispose(() => {
      listening.dispose()
      session.dispose()
      if (open.get(key)?.panel === panel) open.delete(key)
    })
    const { script, style } = JSON.parse(await readFile(join(folder.fsPath, 'manifest.json'), 'utf8')) as PageManifest
    const at = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, name)).toString()
    webview.html = pageDocument({
      nonce: randomBytes(16).toString('base64'),
      script: at(script),
      style: at(style),
      source: webview.cspSource,
      connects: false,
      language: vscode.env.language,
      title: 'Skein',
    })
  }
  const failed = (error: unknown) => complain(t('The page could not be shown'), error)
  const restoring = vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
    async deserializeWebviewPanel(panel, state: PageState | undefined) {
      await fill(panel, state?.route ?? { page: 'jobs' }).catch(failed)
    },
  })

  return {
    open(route) {
      const there = open.get(keyOf(route))
      if (there) {
        there.panel.reveal()
        if ('tab' in route) there.session.show(route)
        return
      }
      const title = (route.page === 'job' && titleOf(route.jobId)) || 'Skein'
      const panel = vscode.window.createWebviewPanel(VIEW_TYPE, plainLine(title, 60), vscode.ViewColumn.Active, {
        ...options,
        enableFindWidget: false,
      })
      fill(panel, route).catch(failed)
    },
    dispose() {
      restoring.dispose()
      // Panels stay: a reload of the window brings them back.
      for (const { session } of open.values()) session.dispose()
    },
  }
}

/** What there is one tab of. */
function keyOf(route: Route): string {
  switch (route.page) {
    case 'job':
      return `job ${route.jobId}`
    case 'run':
      return `run ${route.repository} ${route.feature}`
    default:
      return route.page
  }
}
