import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { createSpecReader } from '#server/specs/index.ts'
import { presentFeature } from '#server/specs/present.ts'
import type { SpecFeature, SpecJob } from '#shared/model/index.ts'
import { APP, featureOf, specJob, specsOf, specTask } from '#test/fakes/editor-specs.ts'
import { MOST_CHILDREN } from './spec-nodes.ts'
import { createSpecsTree } from './specs-tree.ts'

const FIXTURES = resolve(import.meta.dirname, '../../test/fixtures/specs')
const BASE = `${APP}\n001-login`

async function treeOf(features: readonly SpecFeature[]) {
  const own = specsOf({ [APP]: features })
  own.specs.setFolders([APP])
  await own.specs.refresh()
  return { ...own, tree: createSpecsTree(own.deps) }
}
/** A feature as the orchestrator shows it. */
async function fixture(name: string, feature: string, jobs: Readonly<Record<string, SpecJob>> = {}): Promise<SpecFeature> {
  const read = await createSpecReader().read(resolve(FIXTURES, name), feature)
  if (!read) throw new Error(`There is no fixture ${name}/${feature}`)
  return presentFeature(read, ({ id }) => jobs[id] ?? null)
}

it('shows a feature as stories and phases with their tasks, requirements with what covers them, and documents', async () => {
  const jobs = { T002: specJob('running', { node: 'desktop' }), T003: specJob('succeeded', { checks: { green: 2, all: 2 } }) }
  const { tree } = await treeOf([await fixture('current', '001-login', jobs)])
  const [row] = await tree.children(null)
  expect(row).toMatchObject({
    label: '001-login',
    description: expect.stringMatching(/^Sign in with a link · 1\/9/),
    children: 'collapsed',
  })
  const groups = await tree.children(BASE)
  expect(groups.map(({ label, description }) => `${label}: ${description}`)).toEqual([
    'Phase 1: Setup (Shared Infrastructure): 1/2',
    'Phase 2: Foundational (Blocking Prerequisites): 0/1',
    'US1 Ask for a link: 0/3 · P1',
    'US2 Follow the link 🎯: 0/2 · P2',
    'Phase N: Polish & Cross-Cutting Concerns: 0/1',
    'Requirements: 4 of 6 covered',
    'Success Criteria: 0 of 2 covered',
    'Documents: 5',
  ])
  const setup = await tree.children(groups[0]?.id ?? '')
  expect(setup.map(({ label, description, icon }) => [label, description, icon])).toEqual([
    ['T001 Create the project in `package.json`', 'ticked by hand', 'check'],
    ['T002 Configure the linter in biome.json', 'running on desktop', 'sync~spin'],
  ])
  const [proven] = await tree.children(groups[1]?.id ?? '')
  expect(proven).toMatchObject({
    description: 'proven, not ticked yet',
    context: 'task written open tried ended runnable result proven',
  })
  const tooltip = tree.tooltip(proven?.id ?? '')
  expect(tooltip).toContain('| In the file | ☐ open |')
  expect(tooltip).toContain('| By its job | proven, not ticked yet |')
  expect(tooltip).toContain('| Checks | 2 of 2 green |')
  expect(tooltip).toContain('| After | T001 ☑ |')
  const requirements = await tree.children(`${BASE}\nrequirements`)
  expect(requirements.find(({ label }) => label.startsWith('FR-004'))).toMatchObject({
    description: 'no task covers it',
    icon: 'warning',
  })
  expect(tree.task(`${BASE}\ntask\nT002`)).toMatchObject({ repository: APP, feature: '001-login', task: { id: 'T002' } })
})

it('says of each task how it stands in the file and by its job', async () => {
  const green = { checks: { green: 1, all: 1 } }
  const tasks = [
    specTask('T001'),
    specTask('T002', { isDone: true }),
    specTask('T003', { isDone: true, job: specJob('succeeded', green) }),
    specTask('T004', { job: specJob('succeeded') }),
    specTask('T005', { job: specJob('failed') }),
    specTask('T006', { job: specJob('queued') }),
    specTask('T007', { job: specJob('cancelled') }),
  ]
  const { tree } = await treeOf([featureOf(tasks)])
  await tree.children(BASE)
  const rows = tasks.map(({ id }) => tree.row(`${BASE}\ntask\n${id}`))
  expect(rows.map(row => [row?.description, row?.icon, row?.context])).toEqual([
    ['', 'circle-large-outline', 'task written open runnable todo'],
    ['ticked by hand', 'check', 'task written ticked'],
    ['proven', 'pass-filled', 'task written ticked tried ended result'],
    ['succeeded, nothing proves it', 'question', 'task written open tried ended runnable result todo'],
    ['failed', 'error', 'task written open tried ended runnable todo'],
    ['waiting', 'clock', 'task written open tried active'],
    ['cancelled', 'circle-large-outline', 'task written open tried ended runnable todo'],
  ])
})

it('redraws the row of a task alone when its job moves, and its group too when its box is ticked', async () => {
  const { tree, specs, features, heard } = await treeOf([featureOf([specTask('T001'), specTask('T002')])])
  await tree.children(BASE)
  async function change(next: SpecFeature): Promise<readonly (readonly string[] | null)[]> {
    heard.length = 0
    features.set(APP, [next])
    specs.forget([APP])
    await specs.refresh()
    return heard.map(one => tree.changed(one))
  }
  const running = specTask('T002', { job: specJob('running') })
  expect(await change(featureOf([specTask('T001'), running]))).toEqual([[`${BASE}\ntask\nT002`]])
  expect(await change(featureOf([specTask('T001'), { ...running, isDone: true }]))).toEqual([
    [`${BASE}\ntask\nT002`, `${BASE}\nphase\nPhase 1: Setup`],
    [BASE],
  ])
  // Lines above it moved it: it reads as before, and is found where it is now.
  expect(await change(featureOf([specTask('T001', { line: 90 }), { ...running, isDone: true }]))).toEqual([[]])
  expect(tree.row(`${BASE}\ntask\nT001`)?.place?.line).toBe(90)
  expect(await change(featureOf([specTask('T001')]))).toEqual([[`${BASE}\nphase\nPhase 1: Setup`], [BASE]])
})

it('has at most 200 rows below one, and every task once, however many there are', async () => {
  const tasks = Array.from({ length: 41_000 }, (_, at) => specTask(`T${String(at).padStart(5, '0')}`))
  const { tree } = await treeOf([featureOf(tasks)])
  const seen = new Set<string>()
  async function walk(id: string | null): Promise<void> {
    const rows = await tree.children(id)
    expect(rows.length).toBeLessThanOrEqual(MOST_CHILDREN)
    for (const row of rows) {
      const named = tree.task(row.id)
      if (named) seen.add(named.task.id)
      expect(tree.parent(row.id)).toBe(id)
      if (row.children) await walk(row.id)
    }
  }
  await walk(null)
  expect(seen.size).toBe(tasks.length)
})

it('keeps apart what has the same id, in documents of any shape', async () => {
  for (const [name, feature] of [
    ['early', '003-export'],
    ['languages', '007-kasa'],
    ['nested', '010-odd'],
  ] as const) {
    const present = await fixture(name, feature)
    const twice = [...present.tasks, ...present.tasks]
    const { tree } = await treeOf([{ ...present, tasks: twice }])
    const ids: string[] = []
    const walk = async (id: string | null): Promise<void> => {
      for (const row of await tree.children(id)) {
        ids.push(row.id)
        expect(tree.row(row.id)).toEqual(row)
        if (row.children) await walk(row.id)
      }
    }
    await walk(null)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter(id => id.includes('\ntask\n'))).toHaveLength(twice.length)
  }
})

it('names folders only where more than one has specs', async () => {
  const { specs, deps } = specsOf({ [APP]: [featureOf([])], '/src/none': [], '/src/b': [featureOf([])] })
  const tree = createSpecsTree(deps)
  specs.setFolders([APP, '/src/none'])
  await specs.refresh()
  expect((await tree.children(null)).map(({ label }) => label)).toEqual(['001-login'])
  specs.setFolders([APP, '/src/none', '/src/b'])
  await specs.refresh()
  expect((await tree.children(null)).map(({ label }) => label)).toEqual(['app', 'b'])
  expect((await tree.children('/src/b')).map(({ id }) => id)).toEqual(['/src/b\n001-login'])
})

it('shows what a document says as text, and why a feature could not be read', async () => {
  const { tree, features } = await treeOf([featureOf([specTask('T001', { title: 'a\u202Eb [x](command:evil)' })])])
  await tree.children(BASE)
  expect(tree.row(`${BASE}\ntask\nT001`)?.label).toBe('T001 a b [x](command:evil)')
  expect(tree.tooltip(`${BASE}\ntask\nT001`)).toContain('\\[x\\]\\(command\\:evil\\)')
  features.set(APP, [])
  const gone = await tree.children(`${APP}\n002-gone`)
  expect(gone).toMatchObject([{ label: '/src/app has no feature 002-gone.', icon: 'error' }])
  expect(tree.row(gone[0]?.id ?? '')).toEqual(gone[0])
})

it('has at most 200 features below a row, and each of them once, in one folder and in several', async () => {
  const names = Array.from({ length: 450 }, (_, number) => `${String(number).padStart(3, '0')}-x`)
  for (const more of [{}, { '/b': [featureOf([])] }]) {
    const own = specsOf({ [APP]: names.map(feature => ({ ...featureOf([]), feature })), ...more })
    own.specs.setFolders([APP, ...Object.keys(more)])
    await own.specs.refresh()
    const tree = createSpecsTree(own.deps)
    const seen: string[] = []
    async function walk(id: string | null): Promise<void> {
      const rows = await tree.children(id)
      expect(rows.length).toBeLessThanOrEqual(MOST_CHILDREN)
      for (const row of rows) {
        expect(tree.parent(row.id)).toBe(id)
        expect(tree.row(row.id)).toEqual(row)
        if (row.context === 'feature') seen.push(row.id)
        else await walk(row.id)
      }
    }
    await walk(null)
    expect(seen.filter(id => id.startsWith(`${APP}\n`))).toEqual(names.map(name => `${APP}\n${name}`))
  }
})
