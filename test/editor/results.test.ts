import { expect, it } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

const FILES = { 'one.txt': 'one\n', 'two.txt': 'two\n' }
const BOTH = 'echo ONE > one.txt; echo TWO > two.txt'

it.skipIf(missing !== null || !hasSandbox)(
  'applies one file of a result, checks it out as a branch, and discards it',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository(FILES)
    const place = await makePlace(life, 'http://127.0.0.1:9')
    const settings = { ...place.settings, 'skein.notifications': 'none' }
    const editor = await openEditor(life, { folder: repository.path, settings })
    const { page, picture, command, answer, pick, jobs, showSkein } = editor
    await showSkein()
    await page.getByText('No jobs yet').waitFor()
    const client = await place.client()
    const request = { agent: 'command', argv: ['sh', '-c', BOTH], repository: { path: repository.path }, task: 'Shout' }
    const { jobId } = await client.createJob({ body: request })
    await jobs.getByRole('treeitem', { name: /^Succeeded/ }).click()
    const row = jobs.getByRole('treeitem', { name: /^Shout/ })
    await row.waitFor()

    // Of two files one is taken, by the preview of the editor.
    await command('Skein: Apply Changes')
    await pick('Shout')
    await page.getByRole('button', { name: 'Choose…' }).click()
    const preview = page.locator('.bulk-edit-panel')
    await preview.getByText('two.txt').first().waitFor()
    await preview.locator('.monaco-list-row', { hasText: 'two.txt' }).locator('.edit-checkbox').first().click()
    await picture('50-one-file')
    await preview.getByRole('button', { name: 'Apply', exact: true }).click()
    await preview.waitFor({ state: 'hidden' })
    await until(() => repository.git('status', '--porcelain').trim()).toBe('M two.txt')
    repository.git('checkout', '--quiet', '--', '.')

    await command('Skein: Check Out as Branch')
    await pick('Shout')
    await answer(/Check Out as Branch/, 'skein/shout')
    await until(() => repository.git('branch', '--show-current').trim()).toBe('skein/shout')
    expect(repository.git('show', 'HEAD:one.txt')).toBe('ONE\n')
    await picture('51-checked-out')

    await command('Skein: Discard Result')
    await pick('Shout')
    await picture('52-discard')
    await page.getByRole('button', { name: 'Discard', exact: true }).click()
    await jobs.getByRole('treeitem', { name: /discarded/ }).waitFor()
    expect(repository.git('for-each-ref', `refs/skein/jobs/${jobId}`)).toBe('')
    await picture('53-discarded')
  },
  180_000,
)
