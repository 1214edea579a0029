import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { startScriptedModel } from '#demo/scripted-model.ts'
import { fleetNode, pair } from '#test/e2e/fleet.ts'
import { hasSandbox, makeRepository, startNode } from '#test/e2e/node.ts'
import { hasBrowser } from './browser.ts'
import { usePages } from './use-pages.ts'

const agent = fileURLToPath(new URL('../fakes/acp-agent.mjs', import.meta.url))

describe.skipIf(!hasBrowser || !hasSandbox)('pages in a browser', () => {
  const view = usePages()
  let page: Page
  beforeEach(() => {
    page = view.page
  })

  it.each([
    ['Yes', 'made.txt'],
    ['No', null],
  ])('ask what an agent asks, and bring back %s', async (answer, made) => {
    await using model = await startScriptedModel({ steps: [] })
    using repository = makeRepository({ 'a.txt': 'a\n' })
    const agents = { opencode: { command: agent, args: [], env: { FAKE_ACP: 'well' } } }
    await using node = await startNode({ agents }, { OPENAI_BASE_URL: `${model.url}/v1` })
    const { jobId } = await node.client.createJob({
      body: { task: 'Write it', agent: 'opencode', permissions: 'ask', repository: { path: repository.path } },
    })
    await page.goto(`${node.url}/#token=${node.token}`)
    await page.getByRole('link', { name: 'Write it' }).click()
    await page.getByText('The agent asks: write made.txt').waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
    await page.getByRole('button', { name: answer, exact: true }).click()
    await page.getByRole('status').filter({ hasText: 'succeeded' }).waitFor()
    expect(await page.getByText('The agent asks').count()).toBe(0)
    await page.getByRole('tab', { name: 'Changes' }).click()
    await page
      .getByText(made ?? 'The job changed no files.')
      .first()
      .waitFor()
    await page.getByRole('tab', { name: 'Timeline' }).click()
    await page.getByText(`outcome ${answer.toLowerCase()}`).waitFor()
    expect((await node.client.getJob({ params: { id: jobId } })).state).toBe('succeeded')
  })

  it('show what other nodes give and do, as it changes, and their names as text', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('<b id=x>w\u202Ekr</b>')
    await page.goto(`${home.url}/#token=${home.token}`)
    await page.getByRole('link', { name: 'Fleet' }).click()
    await page.getByText('This node knows no others.').waitFor()
    await pair(home, worker)
    const card = page.getByRole('region', { name: 'Node <b id=x>w<U+202E>kr</b>' })
    await card.getByText('online').waitFor()
    await card.getByText('runs our jobs').waitFor()
    const [peer] = (await home.client.listPeers()).items
    if (!peer) throw new Error('The peer is gone')
    const { jobId } = await home.client.createJob({
      body: { task: 'Wait there', agent: 'command', argv: ['sh', '-c', 'read wait < /dev/zero'], where: { on: [peer.id] } },
    })
    await card.getByRole('link', { name: 'Wait there' }).waitFor()
    await card.getByText(/^1 of \d+ slots? taken/).waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
    expect(await page.locator('#x').count()).toBe(0)
    await card.getByRole('link', { name: 'Wait there' }).click()
    await page.getByText('<b id=x>w<U+202E>kr</b>').waitFor()
    await page.getByRole('tab', { name: 'Details' }).click()
    await page.getByRole('heading', { name: 'Attempt 1: bids' }).waitFor()
    await page.getByRole('row', { name: 'Node <b id=x>w<U+202E>kr</b>' }).waitFor()
    await page.getByRole('row', { name: /^Limits \d.* of memory, .* of log$/ }).waitFor()
    await page.getByRole('row', { name: /^Now agent, running, \d.* of memory$/ }).waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
    await home.client.cancelJob({ params: { id: jobId } })
    await page.getByRole('status').filter({ hasText: 'cancelled' }).waitFor()
    await page.getByRole('link', { name: 'Fleet' }).click()
    await page.getByRole('button', { name: 'Drain' }).click()
    await page.getByText('Draining: it takes no more attempts.').waitFor()
  })

  it('show where a job runs and what it takes there, and why another one waits', async () => {
    await using node = await fleetNode('desk', { 'node.concurrency': 1 })
    const wait = { agent: 'command', argv: ['sh', '-c', 'read wait < /dev/zero'] }
    const { jobId } = await node.client.createJob({ body: { ...wait, limits: { memoryBytes: 2 ** 29 } } })
    await page.goto(`${node.url}/#token=${node.token}`)
    await page.getByRole('row', { name: /running/ }).waitFor()
    await page.goto(`${node.url}/#/jobs/${jobId}/details`)
    await page.getByRole('row', { name: 'Node desk (this node)' }).waitFor()
    await page.getByRole('row', { name: 'Executor process' }).waitFor()
    await page.getByRole('row', { name: 'Isolation process' }).waitFor()
    await page.getByRole('row', { name: /^Limits 512 MiB of memory, / }).waitFor()
    await page.getByRole('row', { name: /^Now agent, running, \d.* cores busy, .* of processor time, .* of memory$/ }).waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
    const waiting = await node.client.createJob({ body: wait })
    await page.goto(`${node.url}/#/jobs/${waiting.jobId}/details`)
    await page.getByText('It waits for a place: 1 attempt here now, 1 job waiting.').waitFor()
    await node.client.drain({ body: { draining: true } })
    await page.getByText('This node is draining: it takes no more attempts.').waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
  })
})
