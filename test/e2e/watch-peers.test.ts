import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { PeersChange } from '#shared/contract/index.ts'
import { startNode } from './node.ts'

const program = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

it('`skein peers --watch` tells of a node that comes and goes, until it is told to end', async () => {
  await using home = await startNode({ 'node.name': 'home' })
  await using worker = await startNode({ 'node.name': 'worker' })
  const argv = ['peers', '--watch', '--json', '--data-dir', home.dataDir]
  const child = spawn(process.execPath, [program, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  /** The next change that fits. */
  async function until(fits: (change: PeersChange) => boolean): Promise<PeersChange> {
    for (;;) {
      const { value, done } = await lines.next()
      if (done || value === undefined) throw new Error('it ended')
      const change = JSON.parse(value) as PeersChange
      if (fits(change)) return change
    }
  }
  expect(await until(() => true)).toMatchObject({ whole: true, items: [] })
  const { code } = await worker.client.createPairingCode()
  const { id } = await home.client.addPeer({ body: { address: worker.url, code } })
  const come = await until(({ items }) => items[0]?.card != null)
  expect(come).toMatchObject({ whole: false, items: [{ id, name: 'worker', state: 'online' }] })
  await home.client.removePeer({ params: { id } })
  expect(await until(({ removed }) => removed.length > 0)).toMatchObject({ removed: [id] })

  child.kill('SIGINT')
  const [exit] = (await once(child, 'exit')) as [number]
  expect(exit).toBe(0)
})
