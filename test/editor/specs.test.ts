import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { type Step, startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

if (missing !== null) console.warn(`skipped: ${missing}`)

const FIXTURE = resolve(import.meta.dirname, '../fixtures/specs/current')
const TASKS = 'specs/001-login/tasks.md'
const documents = () =>
  Object.fromEntries(
    globSync('**/*.md', { cwd: FIXTURE, exclude: [] })
      .concat(globSync('.specify/**/*.md', { cwd: FIXTURE }))
      .map(name => [name, readFileSync(join(FIXTURE, name), 'utf8')]),
  )

/** A session that does T002: the linter gets its settings. */
const LINTER: readonly Step[] = [
  { tools: { write: { path: 'biome.json', filePath: 'biome.json', content: '{}\n' } } },
  { text: 'The linter is configured in biome.json.' },
]

it.skipIf(missing !== null || !hasSandbox)(
  'runs a task of a spec from its row, and ticks its box by an edit that is shown first',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository({ 'package.json': '{"type":"module"}\n', ...documents() })
    const model = life.use(await startScriptedModel({ steps: LINTER }))
    const place = await makePlace(life, model.url)
    const settings = { ...place.settings, 'skein.jobs.check': 'test -f biome.json', 'skein.jobs.permissions': 'allow' }
    const { page, picture, command, open, shown } = await openEditor(life, { folder: repository.path, settings })
    const tasks = () => readFileSync(join(repository.path, TASKS), 'utf8')

    // The view has the feature, its stories and tasks, and says how they stand.
    await page.getByRole('tab', { name: 'Skein' }).click()
    const specs = page.getByRole('tree', { name: 'Specs' })
    const row = (name: RegExp) => specs.getByRole('treeitem', { name })
    await row(/^001-login/).click()
    await row(/^T002 Configure the linter/).waitFor()
    await picture('specs-01-tree')

    // The documents are a language: what is wrong is marked, an id says what it stands for, and a task can be run where it stands.
    await row(/^T002/).click()
    await page.getByRole('tab', { name: 'tasks.md' }).waitFor()
    const line = page.locator('.view-line', { hasText: 'T002' }).first()
    await page.locator('.codelens-decoration a', { hasText: /^Run$/ }).first().waitFor()
    await line.getByText('T002').first().hover()
    await page.locator('.monaco-hover', { hasText: 'Configure the linter in biome.json' }).waitFor()
    await picture('specs-02-hover')
    await command('Problems: Focus on Problems View')
    await page.getByText('No task names FR-004.').first().waitFor()
    await picture('specs-03-problems')

    // A task is run from its row.
    await row(/^T002/).hover()
    await row(/^T002/).getByRole('button', { name: 'Run on the Fleet' }).click()
    await row(/^T002 .*proven, not ticked yet/).waitFor({ timeout: 60_000 })
    await picture('specs-04-proven')
    const client = await place.client()
    const { items } = await client.listJobs({ query: { limit: 5 } })
    expect(items.map(({ spec, repository: from }) => ({ spec, from }))).toEqual([
      { spec: { feature: '001-login', task: 'T002' }, from: repository.path },
    ])

    // Its changes are applied from there too, and then its box is offered to be ticked: by an edit that is shown, and by nothing else.
    const preview = page.locator('.bulk-edit-panel')
    const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
    // A pointer that rests on a row has its tooltip shown, over what is to be pressed next.
    const leaveRow = () => page.mouse.move(700, 5)
    await row(/^T002/).hover()
    await row(/^T002/).getByRole('button', { name: 'Apply Changes of Task' }).click()
    await leaveRow()
    await press('Apply All')
    await preview.getByText('Configure the linter in biome.json').waitFor()
    await picture('specs-05-preview')
    await press('Discard')
    await preview.waitFor({ state: 'hidden' })
    expect(tasks()).toContain('- [ ] T002')
    expect(repository.git('status', '--porcelain')).toContain('biome.json')

    await row(/^T002/).hover()
    await row(/^T002/).getByRole('button', { name: 'Tick from Evidence' }).click()
    await leaveRow()
    await preview.getByText('Configure the linter in biome.json').waitFor()
    await preview.locator('.edit-checkbox').first().click()
    await press('Apply')
    await until(tasks).toContain('- [x] T002')
    await row(/^T002/).getByText('proven', { exact: true }).waitFor({ state: 'attached' })
    // The page of the job that was begun from the row.
    await page.getByRole('tab', { name: /^T002 Configure the linter/ }).waitFor()
    await shown.getByRole('heading', { name: /^T002 Configure the linter/ }).waitFor()
    await picture('specs-06-ticked')

    // What is for another text than the editor has is refused, and both sides are told.
    const spec = await client.getSpec({ params: { feature: '001-login' }, query: { repository: repository.path } })
    const base = spec.documents.find(({ path }) => path === TASKS)
    await open('tasks.md')
    const marks = page.locator('.view-overlays [class*="squiggly-"]')
    const before = await marks.count()
    await page.keyboard.press('Control+Home')
    await page.keyboard.type('[NEEDS CLARIFICATION: not saved] ')
    // Marked by the language: what was typed has come to those who are asked next.
    await until(() => marks.count()).toBeGreaterThan(before)
    const answer = await client.editSpec({
      params: { feature: '001-login' },
      body: {
        repository: repository.path,
        reason: 'clear it',
        bases: [{ path: TASKS, sha256: base?.sha256 ?? '' }],
        change: { kind: 'tick', task: 'T001', done: false },
      },
    })
    expect(answer).toMatchObject({ status: 'offered' })
    const offer = answer.status === 'offered' ? answer.offer : 0
    await until(async () => (await client.getSpecOffer({ params: { id: offer } })).outcome).toBe('refused')
    expect((await client.getSpecOffer({ params: { id: offer } })).detail).toContain('not in the editor as it was')
    await page
      .getByText(/was not made \(clear it\)/)
      .first()
      .waitFor()
    expect(tasks()).toContain('- [x] T001')
  },
  240_000,
)

it.skipIf(missing !== null)('says what to do where there are no specs', async () => {
  await using life = new Lifetime()
  using repository = makeRepository({ 'package.json': '{}\n' })
  const place = await makePlace(life, 'http://127.0.0.1:9')
  const { page, picture } = await openEditor(life, { folder: repository.path, settings: place.settings })
  await page.getByRole('tab', { name: 'Skein' }).click()
  await page.getByText('No specs in this workspace').waitFor()
  await picture('specs-00-empty')
})
