import { expect, it } from 'vitest'
import type { JobEvent } from '#shared/model/index.ts'
import { manualClock, plain, sourceOf, summary } from '#test/fakes/editor-jobs.ts'
import { createChanges } from '../state/changes.ts'
import { createJobs, PAGE } from '../state/jobs.ts'
import { EVERYTHING, type JobFilter } from './job-filter.ts'
import type { Grouping } from './job-groups.ts'
import { createJobsTree } from './jobs-tree.ts'
import type { Tree } from './row.ts'

async function treeOf(all: Parameters<typeof sourceOf>[0], wishes: Partial<JobFilter> = {}, grouping: Grouping = 'state') {
  const source = sourceOf(all)
  const jobs = createJobs(source, createChanges(manualClock()))
  await jobs.reset()
  return {
    tree: createJobsTree({
      jobs,
      filter: () => ({ ...EVERYTHING, ...wishes }),
      grouping: () => grouping,
      now: () => Date.UTC(2026, 0, 2),
      t: plain,
      handling: () => undefined,
    }),
    jobs,
    source,
  }
}

/** Every job that can be got at, with no row having more than 200 below it, and each row naming the one that holds it. */
async function walk(tree: Tree, id: string | null = null): Promise<readonly string[]> {
  const rows = await tree.children(id)
  expect(rows.length).toBeLessThanOrEqual(200)
  const seen: string[] = []
  for (const [at, row] of rows.entries()) {
    if (row.children) seen.push(...(await walk(tree, row.id)))
    else if (row.job) seen.push(row.id)
    // A group has more to tell once its pages are read.
    if (row.job) expect(tree.row(row.id)).toEqual(row)
    if (at === 0 || at === rows.length - 1) expect(tree.parent(row.id)).toBe(id)
  }
  return seen
}

it('has at most 200 children a row, and every job once, however many there are', async () => {
  const { tree } = await treeOf(Array.from({ length: 1000 }, (_, number) => summary(number, 'succeeded')))
  const seen = await walk(tree)
  expect(seen).toHaveLength(1000)
  expect(new Set(seen).size).toBe(1000)
})

it.each([
  // Those of a spec are asked for by the spec, however many there are; those of none are what was read of each state. Of specs five
  // thousand are listed, and those of the jobs that were read.
  ['one spec', 100_000, () => 1, 100_000],
  ['no spec', 100_000, () => null, 6 * PAGE],
  ['many specs', 100_000, (number: number) => number, 5_000 + 6 * PAGE],
  ['some specs', 20_000, (number: number) => (number % 7 === 0 ? null : number % 50), 17_142 + 171],
])('has at most 200 children a row when jobs are grouped by spec: for %s, of %d jobs', async (_, count, of, found) => {
  const all = Array.from({ length: count }, (_, number) => {
    const spec = of(number)
    return summary(number, number % 2 === 0 ? 'failed' : 'succeeded', {
      spec: spec === null ? null : { feature: `feature-${spec}`, task: 'T001' },
    })
  })
  const { tree, jobs } = await treeOf(all, {}, 'spec')
  expect((await tree.children(null)).at(-1)).toMatchObject({ label: 'Read older jobs', command: 'skein.jobs.readOlder' })
  for (let page = 0; page < 2; page += 1) await Promise.all([jobs.readMore('failed'), jobs.readMore('succeeded')])
  const seen = await walk(tree)
  expect(seen).toHaveLength(found)
  expect(new Set(seen).size).toBe(found)
})

it('asks which specs there are, and for the jobs of one when it is opened, page by page', async () => {
  const spec = (feature: string) => ({ spec: { feature, task: 'T001' } })
  const all = Array.from({ length: 1_000 }, (_, number) =>
    summary(number, 'succeeded', spec(number < 1 ? '000-first' : number === 999 || number < 500 ? '001-old' : '002-new')),
  )
  const { tree, jobs, source } = await treeOf(all, {}, 'spec')
  const KEY = 'spec/001-old//src/app/'
  const list = (from: number) => `001-old /src/app ${from || ''}`
  expect(tree.row(KEY)).toMatchObject({ description: '1+ · app' })
  source.asked.length = 0
  const groups = await tree.children(null)
  expect(groups.map(({ label, description }) => `${label}: ${description}`)).toEqual([
    '002-new: 499 · app',
    '001-old: 500 · app',
    '000-first: 1 · app',
    'Read older jobs: undefined',
  ])
  await tree.children(null)
  expect(source.asked).toEqual(['specs '])
  source.asked.length = 0
  const first = await tree.children(KEY)
  expect(first).toHaveLength(PAGE + 1)
  expect(first.slice(0, 2).map(({ label }) => label)).toEqual(['job 999', 'job 499'])
  expect(source.asked).toEqual([list(0)])
  await tree.children(KEY)
  expect(source.asked).toEqual([list(0)])
  // The last page at once: those before it are read too, so that it is what it would be.
  expect(await tree.children(`${KEY}+2`)).toHaveLength(500 - 2 * PAGE)
  expect(source.asked).toEqual([list(0), list(PAGE), list(2 * PAGE)])
  await jobs.reset()
  while (jobs.hasMore('succeeded')) await jobs.readMore('succeeded')
  source.asked.length = 0
  await tree.children('spec/002-new//src/app/')
  expect(source.asked).toEqual([])
})

it('counts a job that comes, where it turns out to belong', async () => {
  const all = Array.from({ length: 300 }, (_, number) =>
    summary(number, 'succeeded', { spec: { feature: '001-old', task: 'T001' } }),
  )
  const { tree, jobs, source } = await treeOf(all, {}, 'spec')
  await tree.children(null)
  const KEY = 'spec/001-old//src/app/'
  expect(tree.row(KEY)).toMatchObject({ description: '300 · app' })
  const job = summary(300, 'queued', { spec: { feature: '001-old', task: 'T002' } })
  source.get = async () =>
    ({ ...job, spec: { agent: 'builtin', priority: 0, repository: { path: '/src/app' }, spec: job.spec } }) as never
  const { title, agent, priority, spec } = job
  const body = { type: 'job.created', title, agent, priority, spec } as JobEvent['body']
  jobs.take({ seq: 1, jobId: job.id, n: 1, at: job.createdAt, body })
  await expect.poll(() => jobs.get(job.id)?.summary.repository).toBe('/src/app')
  expect(tree.row(KEY)).toMatchObject({ description: '301 · app' })
  expect((await tree.children(null)).map(({ label }) => label)).toEqual(['001-old', 'Read older jobs'])
})

it('knows specs from jobs alone where the orchestrator cannot list them', async () => {
  const all = Array.from({ length: 1_000 }, (_, number) =>
    summary(number, 'succeeded', number >= 998 ? { spec: { feature: '001-new', task: 'T001' } } : {}),
  )
  const { tree, source } = await treeOf(all, {}, 'spec')
  source.specs = () => Promise.reject(new Error('There is no such operation'))
  const KEY = 'spec/001-new//src/app/'
  await tree.children(null)
  tree.redraw(null)
  expect(tree.row(KEY)).toMatchObject({ description: '2+ · app' })
  await tree.children(KEY)
  // Drawn again, though nothing in the page was new.
  expect(tree.redraw(new Set())).toEqual([KEY])
  expect(tree.row(KEY)).toMatchObject({ description: '2 · app' })
})

it('groups by spec: the newest feature first, each of its work tree, jobs for none last', async () => {
  const spec = (feature: string) => ({ spec: { feature, task: 'T001' } })
  const { tree } = await treeOf(
    [
      summary(1, 'running', spec('002-cart')),
      summary(2, 'failed', spec('010-pay')),
      summary(3, 'succeeded', spec('002-cart')),
      summary(4, 'queued', { ...spec('002-cart'), repository: '/src/other' }),
      summary(5, 'queued'),
    ],
    {},
    'spec',
  )
  const groups = await tree.children(null)
  expect(groups.map(({ label, description }) => `${label}: ${description}`)).toEqual([
    '010-pay: 1 · app',
    '002-cart: 2 · app',
    '002-cart: 1 · other',
    'No Spec: 1',
  ])
  expect((await tree.children(groups[1]?.id ?? '')).map(({ label }) => label)).toEqual(['job 3', 'job 1'])
})

it('shows the states that are asked for, in both groupings, and reads no others', async () => {
  const all = [summary(1, 'running'), summary(2, 'failed'), summary(3, 'succeeded'), summary(4, 'queued')]
  const { tree } = await treeOf(all, { groups: ['failed', 'active'] })
  expect((await tree.children(null)).map(({ label }) => label)).toEqual(['Running', 'Failed'])
  const bySpec = (await treeOf(all, { groups: ['failed', 'active'] }, 'spec')).tree
  const [none] = await bySpec.children(null)
  expect((await bySpec.children(none?.id ?? '')).map(({ label }) => label)).toEqual(['job 2', 'job 1'])
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
  const { tree } = await treeOf(all, { text: 'LOGIN mend' })
  expect((await tree.children('succeeded')).map(({ label }) => label)).toEqual(['Search older jobs'])
  expect((await tree.children('succeeded+1')).map(({ label }) => label)).toEqual(['mend the login'])
})

it('shows the jobs of some work trees', async () => {
  const all = [summary(1, 'queued'), summary(2, 'queued', { repository: '/src/other' })]
  const { tree } = await treeOf(all, { repositories: ['/src/other'] })
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
