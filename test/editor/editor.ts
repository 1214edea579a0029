import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { FrameLocator, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Lifetime } from '#server/lib/lifetime.ts'
import { directoriesIn, node, openBrowser, serveEditor, server, writeSettings } from './code-server.ts'

/** Where pictures of each step are left. */
const pictures = resolve(import.meta.dirname, '../../dist/pictures')

/** Waits as long as a loaded machine may need. */
export const until = <T>(ask: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> => expect.poll(ask, { timeout: 30_000 })

export interface EditorOptions {
  /** Folder that is opened. */
  readonly folder: string
  readonly settings?: Readonly<Record<string, unknown>>
  /** For what runs in the editor, and for what that starts. */
  readonly env?: Readonly<Record<string, string>>
  /** More extensions, as paths of VSIX files. */
  readonly more?: readonly string[]
  /** Ids of extensions that may use what is not in the public API yet. */
  readonly proposing?: readonly string[]
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
  /** Puts the cursor somewhere in the editor that is shown; both count from 1. */
  goTo(line: number, column: number): Promise<void>
  /** Says something to the participant, in the chat that is open. */
  say(text: string): Promise<void>
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
  { folder, settings = {}, env = {}, more = [], proposing = [], vsix = globSync('dist/*.vsix')[0] ?? '' }: EditorOptions,
): Promise<Editor> {
  const home = mkdtempSync(join(tmpdir(), 'skein-editor-'))
  life.defer(() => rm(home, { recursive: true, force: true, maxRetries: 5 }))
  const directories = directoriesIn(home)
  const environment = { ...process.env, ...env, HOME: home, EXTENSIONS_GALLERY: '{}' }
  await writeSettings(home, settings)
  for (const extension of [vsix, ...more]) {
    const args = [server, ...directories, '--install-extension', resolve(extension)]
    const [code] = await once(spawn(node, args, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] }), 'exit')
    if (code !== 0) throw new Error(`${extension} could not be installed: exit code ${code}`)
  }
  const proposals = proposing.flatMap(id => ['--enable-proposed-api', id])
  const url = await serveEditor([...directories, ...proposals, folder], environment, life)

  const context = await openBrowser(life)
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
    async goTo(line, column) {
      await page.keyboard.press('Control+G')
      const input = page.locator('.quick-input-widget .quick-input-box input')
      await input.fill(`:${line}:${column}`)
      await input.press('Enter')
      await page.locator('.quick-input-widget').waitFor({ state: 'hidden' })
    },
    async say(text) {
      await page.locator('.interactive-session .interactive-input-part .monaco-editor').first().click()
      // Typed, so that the names of participant and command are understood; a space closes what is offered meanwhile.
      await page.keyboard.type(`@skein ${text} `)
      await page.keyboard.press('Escape')
      await page.keyboard.press('Enter')
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
