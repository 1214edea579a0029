import { expect, it } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import { makeRepository, startNode } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

it.skipIf(missing !== null)(
  'pairs with another node, shows it, drains this one and ends the trust',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository({ 'README.md': '# App\n' })
    await using other = await startNode({ 'node.name': 'desktop' })
    const place = await makePlace(life, 'http://127.0.0.1:9')
    const { page, picture, command, answer, pick, showSkein } = await openEditor(life, {
      folder: repository.path,
      settings: place.settings,
    })
    await showSkein()
    await page.getByText('Only this machine works so far').waitFor()
    const { code } = await other.client.createPairingCode({})
    await command('Skein: Add Peer')
    await answer(/Add Peer \(1 of 2\)/, other.url)
    await answer(/Add Peer \(2 of 2\)/, code)
    await pick('Offer my jobs to it, and take its jobs')
    const peers = page.getByRole('tree', { name: 'Peers' })
    const row = peers.getByRole('treeitem', { name: /^desktop/ })
    await row.waitFor()
    await row.click()
    await peers.getByRole('treeitem', { name: /^Capacity/ }).waitFor()
    await picture('40-peers')

    await command('Skein: Drain This Node')
    await peers.getByRole('treeitem', { name: /draining/ }).waitFor()
    await command('Skein: Take Work Again')
    await peers.getByRole('treeitem', { name: /draining/ }).waitFor({ state: 'detached' })

    await command('Skein: Remove Peer')
    await pick('desktop')
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    await page.getByText('Only this machine works so far').waitFor()
    await until(async () => (await (await place.client()).listPeers({})).items.length).toBe(0)
    expect(await row.count()).toBe(0)
  },
  180_000,
)

it.skipIf(missing !== null)(
  'takes the trust in a node of the list away, and gives it back',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository({ 'README.md': '# App\n' })
    await using other = await startNode({ 'node.name': 'desktop' })
    const { node: id } = await other.client.nodeInfo()
    const fleet = { peers: [{ id, address: other.url, offer: true, accept: false }] }
    const place = await makePlace(life, 'http://127.0.0.1:9', { fleet })
    const { page, picture, command, pick, showSkein } = await openEditor(life, {
      folder: repository.path,
      settings: place.settings,
    })
    await showSkein()
    const row = page.getByRole('tree', { name: 'Peers' }).getByRole('treeitem', { name: /^127\.0\.0\.1/ })
    // Its name is known once it says something; it does not name this one, and says nothing.
    await row.waitFor()
    const runsOurs = async () => (await (await place.client()).listPeers({})).items.map(peer => peer.runsOurs)
    await until(runsOurs).toEqual([true])

    await command('Skein: Remove Peer')
    await pick('127.0.0.1')
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    await until(runsOurs).toEqual([false])
    await row.getByText('not trusted').waitFor()

    await command('Skein: Trust Peer')
    await pick('127.0.0.1')
    await page.getByText(id).waitFor()
    await picture('41-trust')
    await page.getByRole('button', { name: 'Trust', exact: true }).click()
    await until(runsOurs).toEqual([true])
  },
  180_000,
)
