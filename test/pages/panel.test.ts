import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { createBackend, type Wire } from '#extension/backend/backend.ts'
import { createPageSession } from '#extension/panels/page-session.ts'
import { built } from '#server/lib/built.ts'
import { LSP_NOTIFICATIONS } from '#shared/contract/index.ts'
import { type PageCommand, type PageManifest, type PageMessage, pageDocument, type Route } from '#shared/webview/index.ts'
import { type Editor, endProcess, openDesk } from '#test/e2e/editor.ts'
import { makeRepository } from '#test/e2e/node.ts'
import { hasBrowser } from './browser.ts'
import { usePages } from './use-pages.ts'

const PANEL = 'http://panel.example'
/** What VS Code gives a page, its variables and its class included. */
const EDITOR = `
  window.acquireVsCodeApi = () => ({
    postMessage: message => window.toPanel(message),
    getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined,
    setState: state => sessionStorage.setItem('state', JSON.stringify(state)),
  })
  addEventListener('DOMContentLoaded', () => {
    document.body.className = 'vscode-dark'
    document.documentElement.style.setProperty('--vscode-foreground', 'rgb(1, 2, 3)')
  })`

/** The connection of an editor, as its panels use it. */
function wireOf({ connection }: Editor): Wire {
  const handlers = new Map<string, Set<(params: unknown) => void>>()
  for (const method of Object.values(LSP_NOTIFICATIONS))
    connection.onNotification(method, params => {
      for (const handler of handlers.get(method) ?? []) handler(params)
    })
  return {
    request: (method, params) => connection.sendRequest(method, params),
    onNotification(method, handler) {
      const all = handlers.get(method) ?? new Set()
      handlers.set(method, all.add(handler))
      return { dispose: () => all.delete(handler) }
    },
  }
}

/** A panel with a page in it, in a browser instead of the editor. */
async function openPanel(page: Page, editor: Editor, route: Route) {
  const commands: PageCommand[] = []
  const titles: string[] = []
  const backend = createBackend()
  await backend.attach(wireOf(editor))
  let posting = Promise.resolve()
  const session = createPageSession(route, {
    backend,
    post(message) {
      posting = posting.then(() =>
        page
          .evaluate(`window.postMessage(${JSON.stringify(message)}, '*')`)
          .then(() => {})
          .catch(() => {}),
      )
    },
    setTitle: title => titles.push(title),
    run: command => commands.push(command),
  })
  await page.exposeFunction('toPanel', (message: PageMessage) => session.receive(message))
  await page.addInitScript(EDITOR)
  const { script, style } = JSON.parse(await readFile(built('webviews/manifest.json'), 'utf8')) as PageManifest
  await page.route(`${PANEL}/**`, async answer => {
    const name = new URL(answer.request().url()).pathname.slice(1)
    if (name !== '') return answer.fulfill({ path: built(`webviews/${name}`) })
    const body = pageDocument({
      nonce: 'c2l4dGVlbiBieXRlcyEh',
      script: `/${script}`,
      style: `/${style}`,
      source: "'self'",
      connects: false,
      language: 'en',
      title: 'Skein',
    })
    return answer.fulfill({ contentType: 'text/html', body })
  })
  await page.goto(PANEL)
  return { commands, titles, session }
}

describe.skipIf(!hasBrowser)('a page in a panel', () => {
  const view = usePages()

  it('goes by messages alone, over a crash of the orchestrator and a reload, in the colours of the editor', async () => {
    const { page } = view
    await using desk = await openDesk()
    const editor = await desk.open()
    await editor.state('ready')
    const argv = ['sh', '-c', 'i=0; while :; do echo "line $i"; i=$((i+1)); sleep 0.01; done']
    const { jobId } = await editor.call('createJob', { body: { task: 'Count', agent: 'command', argv, sandbox: 'none' } })
    const { titles } = await openPanel(page, editor, { page: 'job', jobId })
    await page
      .getByText(/^line \d{2,}$/)
      .first()
      .waitFor()
    expect(titles).toContain('Count')
    expect(await page.evaluate("getComputedStyle(document.querySelector('skein-app')).color")).toBe('rgb(1, 2, 3)')
    expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark')
    expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0)

    await endProcess(desk.orchestrator(), 'SIGKILL')
    await page.locator('.banner').waitFor()
    await page.locator('.banner').waitFor({ state: 'detached' })
    await page.getByText('Attempt', { exact: true }).waitFor()
    await page.getByRole('tab', { name: 'Timeline' }).click()
    await page.reload()
    await page.getByRole('tab', { name: 'Timeline', selected: true }).waitFor()
    await page.getByText('Attempt 2:').waitFor()
    await page.getByRole('tab', { name: 'Log' }).click()
    await page
      .getByText(/^line \d{2,}$/)
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('complete').waitFor()
    const log = await editor.call('readLog', { params: { id: jobId } })
    const lines = Buffer.from(log.base64, 'base64').toString().trimEnd().split('\n').length
    await page.getByText(new RegExp(`^${lines.toLocaleString('en')} lines, `)).waitFor()
  })

  it('asks the editor for what only that can do', async () => {
    const { page } = view
    await using desk = await openDesk()
    using repository = makeRepository({ 'specs/001-a/tasks.md': '# Tasks: A\n\n- [ ] T001 Do it\n' })
    const editor = await desk.open()
    await editor.state('ready')
    const { commands } = await openPanel(page, editor, { page: 'run', repository: repository.path, feature: '001-a' })
    await page.getByRole('link', { name: 'T001' }).click()
    await expect
      .poll(() => commands)
      .toEqual([{ name: 'openFile', repository: repository.path, path: 'specs/001-a/tasks.md', line: 2 }])
  })
})
