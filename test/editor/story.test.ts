import { expect, it } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { SHOP } from '#test/e2e/shop.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

if (missing !== null) console.warn(`skipped: ${missing}`)

it.skipIf(missing !== null)('says why the orchestrator cannot be reached, and what can be done', async () => {
  await using life = new Lifetime()
  using repository = makeRepository(SHOP)
  const { dataDir } = await makePlace(life, 'http://127.0.0.1:9')
  const settings = { 'skein.server.start': false, 'skein.server.dataDir': dataDir }
  const { page, picture } = await openEditor(life, { folder: repository.path, settings })
  await page.getByRole('tab', { name: 'Skein' }).click()
  await page.getByText('The orchestrator cannot be reached').first().waitFor()
  await picture('00-no-server')
  expect(await page.getByRole('button', { name: /Jobs Section/ }).count()).toBe(1)
})

it.skipIf(missing !== null || !hasSandbox)(
  'runs a job from the palette to the workspace edit',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository(SHOP)
    const model = life.use(await startScriptedModel({ steps: FIX_TEST_SESSION }))
    const place = await makePlace(life, model.url)
    const settings = { ...place.settings, 'skein.jobs.check': 'node --test' }
    const { page, picture, command, answer, pick, open, text } = await openEditor(life, { folder: repository.path, settings })

    await page.getByRole('tab', { name: 'Skein' }).click()
    await page.getByText('No jobs yet').waitFor()
    await picture('01-empty')

    await command('Skein: New Job')
    await page.locator('.quick-input-title', { hasText: 'New Job in' }).waitFor()
    await picture('02-new-job')
    await answer(/New Job in/, 'The test in price.test.js fails. Mend price.js.')
    await page.getByRole('treeitem', { name: /^The test in price/ }).waitFor()
    await picture('03-running')
    const jobs = page.getByRole('tree', { name: 'Jobs' })
    await jobs.getByRole('treeitem', { name: /^Succeeded/ }).waitFor()
    await page.frameLocator('iframe.webview.ready').frameLocator('iframe').getByText('succeeded').first().waitFor()
    await picture('04-succeeded')

    await command('Skein: Review Changes')
    await pick('The test in price')
    await page.getByRole('tab', { name: /^Changes of/ }).waitFor()
    await page.locator('.multiDiffEntry').getByText('percent').first().waitFor()
    await picture('05-review')

    await command('Skein: Apply Changes')
    await pick('The test in price')
    await page.getByRole('button', { name: 'Choose…' }).click()
    await page.getByText('Refactor Preview').first().waitFor()
    await picture('06-choose')
    await page.getByRole('button', { name: 'Discard', exact: true }).click()
    expect(repository.git('status', '--porcelain')).toBe('')

    await command('Skein: Apply Changes')
    await pick('The test in price')
    await picture('07-apply')
    await page.getByRole('button', { name: 'Apply All' }).click()
    await open('price.js')
    await until(() => text()).toContain('percent) / 100)')
    await page.keyboard.press('Control+S')
    await until(() => repository.git('status', '--porcelain')).toBe(' M price.js\n')
    await jobs.getByRole('treeitem', { name: /^Succeeded/ }).click()
    await jobs.getByRole('treeitem', { name: /applied/ }).waitFor()
    await picture('08-applied')

    // Undo takes all of it back.
    await open('price.js')
    await page.keyboard.press('Control+Z')
    await until(() => text()).toContain('cents * percent)')
    await page.keyboard.press('Control+S')
    await until(() => repository.git('status', '--porcelain')).toBe('')
    await picture('09-undone')
  },
  180_000,
)

const EVERYTHING = `
mkdir -p src
echo 'export const made = 1' > src/made.js
sed -i 's/alpha/ALPHA/; s/omega/OMEGA/' text.txt
rm old.txt
mv from.txt to.txt
chmod +x run.sh
printf '\\000\\001new' > picture.bin
`
const FILES = {
  'text.txt': `alpha\n${'line\n'.repeat(20)}omega\n`,
  'old.txt': 'old\n',
  'from.txt': 'a file that is renamed\n'.repeat(5),
  'run.sh': '#!/bin/sh\n',
  'picture.bin': '\u0000old',
}

it.skipIf(missing !== null || !hasSandbox)(
  'applies every kind of change to what is in the editor now, and undoes it',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository(FILES)
    const place = await makePlace(life, 'http://127.0.0.1:9')
    const { page, picture, command, pick, open } = await openEditor(life, { folder: repository.path, settings: place.settings })
    await page.getByRole('tab', { name: 'Skein' }).click()
    await page.getByText('No jobs yet').waitFor()
    const client = await place.client()
    const request = {
      agent: 'command',
      argv: ['sh', '-c', EVERYTHING],
      repository: { path: repository.path },
      task: 'Everything',
    }
    await client.createJob({ body: request })
    const jobs = page.getByRole('tree', { name: 'Jobs' })
    await jobs.getByRole('treeitem', { name: /^Succeeded/ }).waitFor()

    // A line of the person's own, not saved.
    await open('text.txt')
    await page.keyboard.press('Control+Home')
    for (let line = 0; line < 10; line += 1) await page.keyboard.press('ArrowDown')
    await page.keyboard.type('mine ')

    await command('Skein: Review Changes')
    await pick('Everything')
    await page.getByRole('tab', { name: /^Changes of/ }).waitFor()
    await picture('10-review-everything')
    await command('Skein: Apply Changes')
    await pick('Everything')
    await page.getByRole('button', { name: 'Apply All' }).click()
    await until(() => repository.git('status', '--porcelain').split('\n')).toContain('?? to.txt')
    await picture('11-applied-everything')
    await open('text.txt')
    await page.keyboard.press('Control+S')
    await expect
      .poll(() => repository.git('status', '--porcelain').split('\n').sort())
      .toEqual(['', ' D from.txt', ' D old.txt', ' M picture.bin', ' M run.sh', ' M text.txt', '?? src/', '?? to.txt'].sort())
    const diff = repository.git('diff')
    for (const line of ['+ALPHA', '+OMEGA', '+mine line', 'new mode 100755']) expect(diff).toContain(line)

    await page.keyboard.press('Control+Z')
    // An edit of the workspace has no modes, and what was written by hand stays.
    await until(() => repository.git('status', '--porcelain')).toBe(' M run.sh\n M text.txt\n')
    await page.keyboard.press('Control+S')
    await until(() => repository.git('diff', '--numstat')).toBe('0\t0\trun.sh\n1\t1\ttext.txt\n')
    await picture('12-undone')
  },
  180_000,
)
