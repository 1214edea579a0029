import type { Page } from 'playwright-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { pagesOf } from '#cli/pages.ts'
import { startScriptedModel } from '#demo/scripted-model.ts'
import type { Client } from '#shared/contract/index.ts'
import { hasSandbox, makeRepository, startNode, type TestNode } from '#test/e2e/node.ts'
import { hasBrowser } from './browser.ts'
import { usePages } from './use-pages.ts'

const NASTY = '<img src=x onerror=alert(1)>'
const shell = (script: string) => ({ agent: 'command', argv: ['sh', '-c', script] })

describe.skipIf(!hasBrowser || !hasSandbox)('what others wrote', () => {
  const view = usePages()
  let page: Page
  beforeEach(() => {
    page = view.page
  })
  const show = async (node: TestNode, fragment: string) => {
    await page.goto(`${node.url}/#token=${node.token}`)
    await page.getByRole('heading', { name: 'Jobs', exact: true }).waitFor()
    await page.goto(`${node.url}/${fragment}`)
  }

  it('is text in a timeline, whatever an agent says it is', async () => {
    await using model = await startScriptedModel({
      steps: [{ text: `${NASTY}\u202Egpj`, tools: { run: { command: `echo '${NASTY}'` } } }, { text: 'done' }],
    })
    await using node = await startNode({}, { OPENAI_BASE_URL: `${model.url}/v1` })
    const { job } = await node.run({ task: NASTY, agent: 'builtin' })
    await show(node, `#/jobs/${job.id}/timeline`)
    await page.getByText(`${NASTY}<U+202E>gpj`).waitFor()
    await page.getByText(`echo '${NASTY}'`).first().waitFor()
    expect(await page.locator('img').count()).toBe(0)
  })

  it('is text in a diff, and the names of its files are', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const script = `printf '%s\\n' '${NASTY}' > '${NASTY.replace('/', '')}.html'; printf 'x\\342\\200\\256y' > a.txt`
    const { job } = await node.run({ task: 'x', repository: { path: repository.path }, ...shell(script) })
    await show(node, `#/jobs/${job.id}/changes`)
    await page.getByText(`${NASTY}.html`).first().waitFor()
    await page.getByText(`+${NASTY}`).waitFor()
    await page.getByText('+x<U+202E>y').waitFor()
    expect(await page.locator('img').count()).toBe(0)
  })

  it('may be large: a line is cut, and a patch past what a page can show is named', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const run = async (script: string) =>
      (await node.run({ task: 'x', repository: { path: repository.path }, ...shell(script) })).job.id
    await show(node, `#/jobs/${await run('head -c 1000000 /dev/zero | tr "\\0" x > a.txt')}/changes`)
    const line = page.locator('.added .code')
    await line.waitFor()
    expect(((await line.textContent()) ?? '').length).toBeLessThan(5_000)
    await show(node, `#/jobs/${await run('seq 1 1500000 > a.txt')}/changes`)
    await page.getByText(/^The patch is [\d.]+ MiB long/).waitFor()
    await page.getByText('a.txt').waitFor()
  })

  it('may be many: a list is loaded by pages, and asked for seldom while jobs pour in', async () => {
    await using node = await startNode({ 'node.concurrency': 1 })
    await node.client.drain({ body: { draining: true } })
    const submit = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, i) =>
          node.client.createJob({ body: { task: `job ${from + i} of many`, ...shell('true') } }),
        ),
      )
    await submit(0, 120)
    await page.goto(`${node.url}/#token=${node.token}`)
    await page.getByText('50 shown, of 50 loaded').waitFor()
    await page.getByRole('button', { name: 'Load more' }).click()
    await page.getByText('100 shown, of 100 loaded').waitFor()
    let asked = 0
    page.on('request', request => {
      if (request.url().includes('/v1/jobs?')) asked++
    })
    await submit(120, 319)
    // By itself, for which of many at once is the newest is not known.
    await submit(319, 320)
    await page.getByRole('link', { name: 'job 319 of many' }).waitFor()
    await expect.poll(() => page.getByRole('row').count()).toBeGreaterThan(50)
    expect(asked).toBeLessThan(40)
    // However the pages came together, none is left out between the newest and the oldest that are shown.
    const newestFirst = await titlesOf(node.client)
    await expect
      .poll(async () => {
        const shown = await page.getByRole('link', { name: /of many$/ }).allTextContents()
        const expected = newestFirst.slice(0, shown.length)
        return { newest: expected.includes('job 319 of many'), missing: expected.filter(title => !shown.includes(title)) }
      })
      .toEqual({ newest: true, missing: [] })
  })
})

/** Titles of all jobs of a node, the newest first. */
async function titlesOf(client: Client): Promise<string[]> {
  const titles: string[] = []
  for await (const { items } of pagesOf(from => client.listJobs({ query: { limit: 100, ...from } })))
    titles.push(...items.map(({ title }) => title))
  return titles
}
