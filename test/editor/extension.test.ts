import { expect, it, vi } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { SHOP } from '#test/e2e/shop.ts'
import { missing } from './code-server.ts'
import { type Editor, openEditor } from './editor.ts'
import { makePlace } from './orchestrator.ts'

if (missing !== null) console.warn(`skipped: ${missing}`)
// An editor takes half a minute to be there on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

/** What activated the extension, as the editor wrote it down; null: nothing did. */
const activation = async ({ hostLog }: Pick<Editor, 'hostLog'>) =>
  /_doActivateExtension skein\.skein, startup: (\w+), activationEvent: '([^']+)'/.exec(await hostLog())?.slice(1) ?? null
/** The editor has activated whatever it activates by itself. */
const hasStarted = (editor: Editor) =>
  expect.poll(editor.hostLog, { timeout: 60_000 }).toMatch(/Eager extensions activated[\s\S]*onStartupFinished/)

it.skipIf(missing !== null)('is activated by its view, and not by the start of the editor or a file', async () => {
  await using life = new Lifetime()
  using repository = makeRepository({ ...SHOP, 'README.md': '# Shop\n' })
  const { settings } = await makePlace(life, 'http://127.0.0.1:9')
  const editor = await openEditor(life, { folder: repository.path, settings: { ...settings, 'skein.server.start': false } })
  const { page } = editor
  await hasStarted(editor)
  await page.getByRole('treeitem', { name: 'README.md' }).dblclick()
  await page.getByRole('tab', { name: 'README.md' }).waitFor()
  await expect.poll(editor.hostLog).toContain("'onLanguage:markdown'")
  expect(await activation(editor)).toBeNull()
  await page.getByRole('tab', { name: 'Skein' }).click()
  await expect.poll(() => activation(editor)).toEqual(['false', expect.stringMatching(/^onView:skein\./)])
})

it.skipIf(missing !== null)('is activated by a folder with specs', async () => {
  await using life = new Lifetime()
  using repository = makeRepository({ ...SHOP, 'specs/001-shop/tasks.md': '# Tasks\n\n- [ ] T001 Begin\n' })
  const { settings } = await makePlace(life, 'http://127.0.0.1:9')
  const editor = await openEditor(life, { folder: repository.path, settings: { ...settings, 'skein.server.start': false } })
  await expect.poll(() => activation(editor), { timeout: 60_000 }).toEqual(['true', expect.stringMatching(/^workspaceContains:/)])
})

it.skipIf(missing !== null)('shows and starts nothing else in a workspace that is not trusted, and its first steps', async () => {
  await using life = new Lifetime()
  using repository = makeRepository(SHOP)
  const place = await makePlace(life, 'http://127.0.0.1:9')
  const settings = {
    ...place.settings,
    'security.workspace.trust.enabled': true,
    'security.workspace.trust.startupPrompt': 'never',
    // The first steps have their pictures where there is room for them.
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
  }
  const { page, command, picture } = await openEditor(life, { folder: repository.path, settings })
  await page.getByRole('tab', { name: 'Skein' }).click()
  await page.getByText('This workspace is not trusted: jobs can be looked at').waitFor()
  await page.getByText('The orchestrator cannot be reached').first().waitFor()
  await picture('20-not-trusted')
  expect(await place.pid()).toBeNull()
  await page.keyboard.press('F1')
  await page.locator('.quick-input-widget input').fill('>Skein: ')
  const offered = page.locator('.quick-input-list .monaco-list-row')
  await offered.filter({ hasText: 'Skein: Doctor' }).waitFor()
  expect(await offered.filter({ hasText: 'New Job' }).count()).toBe(0)
  await page.keyboard.press('Escape')

  await command('Skein: Get Started')
  await page.getByText('See what this machine has').waitFor()
  for (const step of ['Run a first job', 'Add another machine']) await page.getByText(step).click()
  const shown = page.frameLocator('iframe.webview').frameLocator('#active-frame')
  await shown.locator('svg text', { hasText: 'laptop' }).waitFor()
  await picture('21-walkthrough')
})

it.skipIf(missing !== null || !hasSandbox)(
  'runs a job from the chat with a model of its own in the picker, and answers from the orchestrator',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository(SHOP)
    const model = life.use(await startScriptedModel({ steps: FIX_TEST_SESSION }))
    const place = await makePlace(life, model.url)
    // A notification would stand in front of where the next request is typed.
    const settings = { ...place.settings, 'skein.jobs.check': 'node --test', 'skein.notifications': 'none' }
    const { page, command, picture, say } = await openEditor(life, { folder: repository.path, settings })
    await page.getByRole('tab', { name: 'Skein' }).click()
    await page.getByText('No jobs yet').waitFor()
    await command('Chat: Open Chat')
    const chat = page.locator('.interactive-session')
    // The editor answers no participant without a model.
    await chat.locator('.chat-input-toolbars').getByText('scripted').waitFor()
    await say('The test in price.test.js fails. Mend price.js.')
    await chat.getByRole('button', { name: 'Cancel Job' }).waitFor()
    await picture('22-chat-running')
    await chat.getByText('red before, green now').waitFor()
    await chat.getByText('Done.').waitFor()
    await picture('23-chat-done')
    await say('/status')
    await chat.locator('li', { hasText: 'succeeded' }).waitFor()
    await say('/peers')
    await chat.locator('li', { hasText: 'this machine' }).waitFor()
    await picture('24-chat-answers')
    // Last, for what it opens takes the keyboard; by a key, for the head of the chat may stand before it.
    await chat.getByRole('button', { name: 'Review Changes' }).press('Enter')
    await page.getByRole('tab', { name: /^Changes of/ }).waitFor()
    const { items } = await (await place.client()).listJobs({ query: {} })
    expect(items.map(({ state, title }) => [state, title])).toEqual([
      ['succeeded', 'The test in price.test.js fails. Mend price.js.'],
    ])
  },
)
