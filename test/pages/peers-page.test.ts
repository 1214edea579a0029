import { createServer } from 'node:net'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { fleetNode } from '#test/e2e/fleet.ts'
import { hasSandbox, startNode, type TestNode } from '#test/e2e/node.ts'
import { hasBrowser } from './browser.ts'
import { usePages } from './use-pages.ts'

describe.skipIf(!hasBrowser || !hasSandbox)('the fleet in a browser', () => {
  const view = usePages()
  const open = async (page: Page, node: TestNode) => {
    await page.goto(`${node.url}/#token=${node.token}`)
    await page.getByRole('link', { name: 'Fleet' }).click()
  }
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

  it('pairs two nodes by a code that one shows, says what is wrong, and ends the trust once that is confirmed', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('<b id=x>w\u202Ekr</b>')
    const { page } = view
    await open(page, worker)
    await button(page, 'Show pairing code').click()
    const said = await page.getByText(/^Pairing code: /).innerText()
    const [, code = ''] = /^Pairing code: (\S+)\. /.exec(said) ?? []
    expect(said).toMatch(/on the other machine before .+\. It counts once\.$/)

    await open(page, home)
    await page.getByText('This node knows no others.').waitFor()
    await button(page, 'Add peer…').click()
    const dialog = page.getByRole('dialog', { name: 'Add peer' })
    await button(page, 'Add').click()
    await dialog.getByText('An address looks like http://desktop:8080').waitFor()
    await dialog.getByText('A code is needed.').waitFor()
    await dialog.getByRole('textbox', { name: 'Address' }).fill(worker.url)
    await dialog.getByRole('textbox', { name: 'Code' }).fill('0000-0000')
    await button(page, 'Add').click()
    await dialog.getByRole('alert').filter({ hasText: /code/i }).waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
    expect((await home.client.listPeers()).items).toEqual([])
    await dialog.getByRole('textbox', { name: 'Code' }).fill(code)
    await dialog.getByRole('combobox', { name: 'What may the two nodes do?' }).click()
    await dialog.getByRole('option', { name: 'Offer my jobs to it, and take its jobs' }).click()
    await button(page, 'Add').click()
    await dialog.waitFor({ state: 'hidden' })
    const shown = '<b id=x>w<U+202E>kr</b>'
    await page
      .getByRole('status')
      .filter({ hasText: `${shown} is a peer now.` })
      .waitFor()
    const card = page.getByRole('region', { name: `Node ${shown}` })
    await card.getByText('runs our jobs; we run theirs').waitFor()

    await button(page, `Remove ${shown}`).click()
    const question = page.getByRole('alertdialog', { name: `Remove ${shown}?` })
    await question.getByText('The trust in it ends at once').waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
    await page.keyboard.press('Escape')
    await question.waitFor({ state: 'hidden' })
    await button(page, `Remove ${shown}`).click()
    await button(page, 'Cancel').click()
    expect((await home.client.listPeers()).items).toHaveLength(1)
    await button(page, `Remove ${shown}`).click()
    await button(page, 'Remove').click()
    await page.getByText('This node knows no others.').waitFor()
    expect((await home.client.listPeers()).items).toEqual([])
    expect(await page.locator('#x').count()).toBe(0)
  })

  it('lets what the settings say of a node count again, once its identity is confirmed', async () => {
    const [homePort, workerPort] = await Promise.all([freePort(), freePort()])
    await using worker = await startNode({ 'node.name': 'worker', 'api.port': workerPort })
    const { node } = await worker.client.nodeInfo()
    const peers = [{ address: `http://127.0.0.1:${workerPort}`, id: node, offer: true, accept: false }]
    await using home = await startNode({ 'node.name': 'home', 'api.port': homePort, 'fleet.peers': peers })
    const { page } = view
    await open(page, home)
    await page.getByText('Trust: runs our jobs.').waitFor()
    await home.client.removePeer({ params: { id: node } })
    await page.getByText('Known, and trusted with nothing.').waitFor()
    await page.getByRole('button', { name: /^Trust / }).click()
    const question = page.getByRole('alertdialog')
    await question.getByText(`Its identity is ${node}`).waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])
    await button(page, 'Trust').click()
    await page.getByText('Trust: runs our jobs.').waitFor()
    await page.getByText('Known, and trusted with nothing.').waitFor({ state: 'detached' })
  })
})

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
