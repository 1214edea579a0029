import { expect, it } from 'vitest'
import { manualClock, plain, sourceOf, summary } from '#test/fakes/editor-jobs.ts'
import { createChanges } from '../state/changes.ts'
import { createJobs } from '../state/jobs.ts'
import { createJobsTree, EVERYTHING, type JobFilter } from './jobs-tree.ts'

async function treeOf(all: Parameters<typeof sourceOf>[0], filter: JobFilter = EVERYTHING) {
  const source = sourceOf(all)
  const jobs = createJobs(source, createChanges(manualClock()))
  await jobs.reset()
  return {
    tree: createJobsTree({ jobs, filter: () => filter, now: () => Date.UTC(2026, 0, 2), t: plain, handling: () => undefined }),
    jobs,
    source,
  }
}

it('has at most 200 children a row, and every job once, however many there are', async () => {
  const { tree } = await treeOf(Array.from({ length: 1000 }, (_, number) => summary(number, 'succeeded')))
  const seen: string[] = []
  async function walk(id: string | null): Promise<void> {
    const rows = await tree.children(id)
    expect(rows.length).toBeLessThanOrEqual(200)
    for (const row of rows) {
      if (row.children) await walk(row.id)
      else seen.push(row.id)
      expect(tree.parent(row.id)).toBe(id)
    }
  }
  await walk(null)
  expect(seen).toHaveLength(1000)
  expect(new Set(seen).size).toBe(1000)
})

it('shows a group while there is something in it', async () => {
  const { tree } = await treeOf([summary(1, 'running'), summary(2, 'failed')])
  expect((await tree.children(null)).map(({ label, description }) => `${label} ${description}`)).toEqual([
    'Running 1',
    'Failed 1',
  ])
  expect(await (await treeOf([])).tree.children(null)).toEqual([])
})

it('finds words in any order, and offers to look further back', async () => {
  const all = Array.from({ length: 300 }, (_, number) =>
    summary(number, 'succeeded', { title: number === 5 ? 'mend the login' : 'x' }),
  )
  const { tree } = await treeOf(all, { text: 'LOGIN mend', repositories: null })
  expect((await tree.children('succeeded')).map(({ label }) => label)).toEqual(['Search older jobs'])
  expect((await tree.children('succeeded+1')).map(({ label }) => label)).toEqual(['mend the login'])
})

it('shows the jobs of some work trees', async () => {
  const all = [summary(1, 'queued'), summary(2, 'queued', { repository: '/src/other' })]
  const { tree } = await treeOf(all, { text: '', repositories: ['/src/other'] })
  expect((await tree.children('queued')).map(({ label }) => label)).toEqual(['job 2'])
})

it('shows what somebody else wrote as text', async () => {
  const { tree, jobs } = await treeOf([
    summary(1, 'running', { title: 'a\u202Eb\n[x](command:evil) ![p](https://e.example/p.png)' }),
  ])
  const [row] = await tree.children('active')
  expect(row?.label).toBe('a b [x](command:evil) ![p](https://e.example/p.png)')
  const id = jobs.inGroup('active')[0]?.summary.id ?? ''
  expect(tree.tooltip(id)).toContain('\\[x\\]\\(command\\:evil\\) \\!\\[p\\]')
})
