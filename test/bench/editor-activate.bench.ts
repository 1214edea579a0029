import { globSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { Lifetime } from '#server/lib/lifetime.ts'
import { directoriesIn, missing, openBrowser, serveEditor, writeSettings } from '#test/editor/code-server.ts'
import { defineBench, type SideContext } from './bench.ts'

const BUILT = fileURLToPath(new URL('../../dist/vsix', import.meta.url))
const NEVER = 'http://127.0.0.1:9'

/** The product as it is shipped. */
async function skein(folder: string): Promise<void> {
  await cp(BUILT, folder, { recursive: true })
}
/** One bundled file that does nothing, with the manifest of the product: what any extension costs. */
async function empty(folder: string): Promise<void> {
  await mkdir(join(folder, 'dist'), { recursive: true })
  for (const part of ['package.json', 'package.nls.json', 'media'])
    await cp(join(BUILT, part), join(folder, part), { recursive: true })
  await writeFile(join(folder, 'dist/extension.cjs'), '"use strict";exports.activate=function(){};\n')
}
async function slowed(folder: string): Promise<void> {
  await skein(folder)
  const bundle = join(folder, 'dist/extension.cjs')
  const spin = 'for(const until=performance.now()+150;performance.now()<until;);\n'
  await writeFile(bundle, spin + (await readFile(bundle, 'utf8')))
}

async function command(page: Page, title: string): Promise<void> {
  await page.keyboard.press('F1')
  const input = page.locator('.quick-input-widget input')
  await input.waitFor({ state: 'visible' })
  await input.fill(`>${title}`)
  await page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click()
}
/** What the editor says in its *Startup Performance*, once it has come to rest. */
async function startupPerformance(page: Page): Promise<string> {
  await command(page, 'Developer: Startup Performance')
  await page.locator('.editor-instance .view-line', { hasText: 'System Info' }).first().waitFor({ timeout: 120_000 })
  await page.locator('.editor-instance .view-line').first().click()
  await page.keyboard.press('Control+A')
  await page.keyboard.press('Control+C')
  const text = await page.evaluate<string>('navigator.clipboard.readText()')
  // The next one is made anew.
  await command(page, 'View: Close All Editors')
  await page.getByRole('tab', { name: 'Startup Performance' }).waitFor({ state: 'detached' })
  return text
}
/** Milliseconds to load the code, to call `activate` and to wait for its end. */
async function activated(page: Page): Promise<number> {
  await page.locator('.monaco-workbench').waitFor()
  // What starts with the editor is out of the way then.
  await startupPerformance(page)
  await page.getByRole('tab', { name: 'Skein' }).click()
  for (;;) {
    const row = /^\|\s*skein\.skein\s*\|([^\n]*)$/m.exec(await startupPerformance(page))?.[1]
    const [, ...cells] = (row ?? '').split('|').map(cell => Number(cell.trim() || Number.NaN))
    const [load, call, finish] = cells
    if (load !== undefined && call !== undefined && finish !== undefined && load + call + finish >= 0)
      return Math.max(1, load + call + finish)
  }
}

/** @param install writes the extension into a folder */
async function measure({ directory, defer }: SideContext, install: (folder: string) => Promise<void>): Promise<number> {
  if (missing !== null || globSync(`${BUILT}/dist/extension.cjs`).length === 0)
    throw new Error(`There is no editor to measure: ${missing ?? 'no dist/vsix (npm run package)'}`)
  const life = new Lifetime()
  defer(() => life[Symbol.asyncDispose]())
  const folder = join(directory, 'folder')
  await mkdir(folder)
  const { version } = JSON.parse(await readFile(join(BUILT, 'package.json'), 'utf8')) as { version: string }
  await install(join(directory, 'extensions', `skein.skein-${version}`))
  await writeSettings(directory, { 'skein.server.start': false, 'skein.server.address': NEVER })
  const environment = { ...process.env, HOME: directory, EXTENSIONS_GALLERY: '{}' }
  const url = await serveEditor([...directoriesIn(directory), folder], environment, life)
  const page = await (await openBrowser(life)).newPage()
  await page.goto(`${url}/?folder=${encodeURIComponent(folder)}`)
  return activated(page)
}

export default defineBench({
  name: 'editor-activate',
  unit: 'ms',
  a: { what: 'the editor loads and activates the extension, when its view is opened', run: context => measure(context, skein) },
  b: { what: 'the same of an empty bundled extension with the same manifest', run: context => measure(context, empty) },
  planted: { what: '150 ms more in its bundle', run: context => measure(context, slowed) },
  compare: 'difference',
  bar: { atMost: 30 },
  note: `Load, call and finish of the editor's own *Startup Performance*, in a window that has come to rest. The clock is that of the wall: a busy machine shows. Needs \`test/lab/editor/install\` and \`npm run package\`.`,
})
