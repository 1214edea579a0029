import type { Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { hasBrowser, seriousFaults } from './browser.ts'
import { type PageServer, startServer } from './server.ts'
import { usePages } from './use-pages.ts'

const shell = (script: string) => ['sh', '-c', script]
/** Of a whole log as the page holds it. */
const LOG = `(() => {
  const find = (root, name) => {
    for (const element of root.querySelectorAll('*')) {
      if (element.localName === name) return element
      const inner = element.shadowRoot && find(element.shadowRoot, name)
      if (inner) return inner
    }
  }
  const { store } = find(document, 'skein-log')
  return new TextDecoder().decode(store.bytes(0, store.count))
})()`

describe.skipIf(!hasBrowser || !hasSandbox)('pages in a browser', () => {
  const view = usePages()
  let server: PageServer
  let page: Page
  beforeAll(async () => {
    server = await startServer(view.life)
  })
  beforeEach(() => {
    page = view.page
  })

  const signedIn = () => page.goto(`${server.url}/#token=${server.token}`)
  const submit = async (script: string, more: object = {}) =>
    (await server.client.createJob({ body: { task: script.slice(0, 60), agent: 'command', argv: shell(script), ...more } })).jobId
  const heading = (name: string) => page.getByRole('heading', { name, exact: true })
  const state = (name: string) => page.getByRole('status').filter({ hasText: name }).first()
  const logOf = async (id: string) => (await server.client.readLog({ params: { id } })).text()

  it('ask for the token, refuse a wrong one, keep the right one over a reload, and forget it', async () => {
    await page.goto(server.url)
    await page.getByLabel('Token').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').filter({ hasText: 'does not accept this token' }).waitFor()
    await page.getByLabel('Token').fill(server.token)
    await page.keyboard.press('Enter')
    await page.getByText('No jobs yet').waitFor()
    await page.reload()
    await page.getByText('No jobs yet').waitFor()
    expect(page.url()).not.toContain(server.token)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Token').waitFor()
    await page.reload()
    await page.getByLabel('Token').waitFor()
  })

  it('are the same at WEB_PORT', async () => {
    await using life = new Lifetime()
    const other = await startServer(life, { WEB_PORT: '0' })
    await page.goto(`${other.webUrl?.replace('127.0.0.1', 'localhost')}/#token=${other.token}`)
    await page.getByText('No jobs yet').waitFor()
    await other.client.createJob({ body: { task: 'seen', agent: 'command', argv: shell('true') } })
    await page.getByRole('link', { name: 'seen' }).waitFor()
  })

  it('say so when a part of them is of a version that is gone, and offer the one that is there', async () => {
    await signedIn()
    await heading('Jobs').waitFor()
    await page.route('**/fleet-page-*.js', route => route.fulfill({ status: 404, body: '' }))
    await page.getByRole('link', { name: 'Fleet' }).click()
    await page.getByRole('alert').filter({ hasText: 'could not be loaded' }).waitFor()
    await page.unroute('**/fleet-page-*.js')
    await page.getByRole('button', { name: 'Load anew' }).click()
    await heading('Fleet').waitFor()
  })

  it('submit a job, follow it live, and show what came of it', async () => {
    using repository = makeRepository({ 'sum.js': 'exports.sum = (a, b) => a - b\n' })
    await signedIn()
    await page.getByRole('button', { name: 'New job' }).click()
    await page.getByRole('button', { name: 'Submit' }).click()
    await page.getByText('Say what the agent is to do.').waitFor()
    await page.getByRole('combobox', { name: 'Agent', exact: true }).click()
    await page.getByRole('option', { name: 'A shell command, no agent' }).click()
    await page
      .getByRole('textbox', { name: 'Command' })
      .fill("printf '\\033[32mgreen\\033[0m words\\n'; sed -i 's/a - b/a + b/' sum.js")
    await page.getByRole('textbox', { name: 'Repository' }).fill(repository.path)
    await page.getByRole('textbox', { name: 'Checks' }).fill('grep -q "a + b" sum.js')
    await page.getByRole('button', { name: 'Submit' }).click()
    await state('succeeded').waitFor()
    await page.getByText('complete').waitFor()
    await page.getByText('green', { exact: true }).waitFor()
    await page.getByRole('tab', { name: 'Log' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('tab', { name: 'Timeline', selected: true }).waitFor()
    await page.getByText('Attempt 1:').waitFor()
    await page.getByRole('tab', { name: 'Changes' }).click()
    await page.getByText('+exports.sum = (a, b) => a + b').waitFor()
    await page.reload()
    await page.getByText('-exports.sum = (a, b) => a - b').waitFor()
    await page.getByRole('tab', { name: 'Details' }).click()
    await page.getByText('fixed: red before, green after').waitFor()
    await page.getByRole('link', { name: 'Jobs', exact: true }).click()
    await page.getByRole('row', { name: /succeeded/ }).waitFor()
  })

  it('list jobs as they come and end, filter and search them, and keep what was set', async () => {
    await signedIn()
    await heading('Jobs').waitFor()
    const id = await submit('echo needle; read wait < /dev/zero')
    await page.getByRole('row', { name: /running.*needle/ }).waitFor()
    await page.getByLabel('Search in the jobs').fill('needle')
    await page.getByRole('row', { name: /succeeded/ }).waitFor({ state: 'detached' })
    await page.reload()
    await page.getByRole('row', { name: /needle/ }).waitFor()
    expect(await page.getByRole('row').count()).toBe(2)
    await page.getByRole('link', { name: /needle/ }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await state('cancelled').waitFor()
    expect((await server.client.getJob({ params: { id } })).state).toBe('cancelled')
  })

  it('go on without a gap after the server was killed, and say so meanwhile', async () => {
    const id = await submit('i=0; while :; do echo "line $i"; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.05; done')
    await signedIn()
    await page.getByRole('link', { name: /while/ }).click()
    await page
      .getByText('line 60')
      .or(page.getByText(/^line \d{3,}$/))
      .first()
      .waitFor()
    await server.kill()
    await page.getByText('The node does not answer.').waitFor()
    await server.start()
    await page.getByText('The node does not answer.').waitFor({ state: 'detached' })
    const shown = () => page.evaluate<string>(LOG)
    // The attempt that was lost is followed by another, which begins anew in the same log.
    await expect.poll(shown, { timeout: 30_000 }).toMatch(/^line 0\n.*^line 0\n.*^line 99\n/ms)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await state('cancelled').waitFor()
    await page.getByText('complete').waitFor()
    expect(await shown()).toBe(await logOf(id))
  })

  it('show hostile output as what it is', async () => {
    const nasty = '<img src=x onerror=alert(1)>'
    const id = await submit(`printf '%s\\n' '${nasty}'; printf '\\033]0;title\\007\\033[2Jafter\\n\\342\\200\\256reversed\\n'`, {
      task: `${nasty}\u202Etxt`,
    })
    await page.goto('about:blank')
    await page.goto(`${server.url}/#token=${server.token}`)
    await heading('Jobs').waitFor()
    await page.goto(`${server.url}/#/jobs/${id}`)
    await page.getByRole('heading', { name: `${nasty}<U+202E>txt` }).waitFor()
    await page.getByText('complete').waitFor()
    const shown = page.getByRole('region', { name: 'Log' })
    await shown.getByText(nasty, { exact: true }).waitFor()
    await shown.getByText('<U+202E>reversed').waitFor()
    expect(await page.locator('img').count()).toBe(0)
  })

  it('search a log, forwards and back', async () => {
    const id = await submit('seq 1 3000 | sed "s/^/row /"')
    await signedIn()
    await heading('Jobs').waitFor()
    await page.goto(`${server.url}/#/jobs/${id}`)
    await page.getByText('complete').waitFor()
    const search = page.getByRole('searchbox', { name: 'Search in the log' }).or(page.getByLabel('Search in the log')).first()
    await search.fill('ROW 15')
    await page.getByText('111 matches', { exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.locator('.line.current').waitFor()
    const current = async () => (await page.locator('.line.current').textContent()) ?? ''
    const first = await current()
    expect(first).toMatch(/row 15/)
    await page.keyboard.press('Enter')
    await expect.poll(current).not.toBe(first)
    await page.keyboard.press('Shift+Enter')
    await expect.poll(current).toBe(first)
  })

  it.each(['light', 'dark'] as const)('have no serious fault for those who cannot see or use a mouse (%s)', async colorScheme => {
    const id = await submit('echo axe')
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const check = async (where: string) => expect(await seriousFaults(page), where).toEqual([])
    await page.goto(server.url)
    await page.getByLabel('Token').waitFor()
    await check('sign-in')
    await page.goto('about:blank')
    await signedIn()
    await page.getByRole('row', { name: /axe/ }).first().waitFor()
    await check('jobs')
    await page.getByRole('button', { name: 'New job' }).click()
    await page.getByRole('dialog').waitFor()
    await check('new job')
    await page.keyboard.press('Escape')
    for (const tab of ['', '/timeline', '/changes', '/details']) {
      await page.goto(`${server.url}/#/jobs/${id}${tab}`)
      await page.getByRole('tab', { selected: true }).waitFor()
      await state('succeeded').waitFor()
      await check(`job${tab}`)
    }
    await page.goto(`${server.url}/#/fleet`)
    await page.getByText('Nothing runs here.').or(page.getByText('running').first()).first().waitFor()
    await check('fleet')
  })
})
