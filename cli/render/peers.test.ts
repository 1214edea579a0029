import { expect, test } from 'vitest'
import type { Peer } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { renderPeers } from './peers.ts'

const id = 'a'.repeat(26)
const plain = (_: string, text: string) => text
const card = makeCard(id, {
  capacity: { cpuCores: 16, memoryBytes: 64 * 1024 ** 3, storageBytes: 1, gpuCount: 2, labels: { zone: 'attic' } },
  ...{ slots: 8, busy: 3, queued: 4, executors: [{ kind: 'process', isolation: 'process' }] },
  ...{ agents: ['opencode'], models: ['qwen3'], repositories: ['r1', 'r2'] },
})
const peer: Peer = {
  ...{ id, name: 'desk', address: 'http://desk:8080', source: 'tailnet', state: 'online', runsOurs: true, weRunTheirs: false },
  ...{ card, lastSeenAt: null, problem: null },
}
const cells = (line = '') => line.trim().split(/ {2,}/)

test('a wide terminal has a column for each thing a node offers', () => {
  const [head, line] = renderPeers([peer], { columns: 300, paint: plain })
  const shown = Object.fromEntries(cells(head).map((title, index) => [title, cells(line)[index]]))
  expect(shown).toEqual({
    ...{ NAME: 'desk', STATE: '● online', JOBS: 'ours there', BY: 'tailnet', BUSY: '3/8', QUEUE: '4', CORES: '16' },
    ...{ MEMORY: '64 GiB', GPU: '2', REPOS: '2', EXECUTORS: 'process (process)', AGENTS: 'opencode', MODELS: 'qwen3' },
    LABELS: 'zone=attic',
  })
})

test('a narrow one has them in one, cut to fit', () => {
  const lines = renderPeers([peer], { columns: 110, paint: plain })
  expect(lines[0]).toContain('OFFERS')
  expect(lines[1]).toContain('process (process), zone=attic')
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(110)
})

test('a node that is away says why, and what it says cannot write to the terminal', () => {
  const away: Peer = { ...peer, name: 'de\u001B[2Jsk', state: 'offline', card: null, problem: 'no \u001B[31mroute' }
  const text = renderPeers([away], { columns: 300, paint: plain }).join('\n')
  expect(text).toContain('○ offline')
  expect(text).toContain('PROBLEM')
  expect(text).not.toContain('\u001B')
})
