import { expect, it } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { missing, openEditor } from './editor.ts'
import { makePlace } from './orchestrator.ts'

if (missing !== null) console.warn(`skipped: ${missing}`)

const SHOP = {
  'package.json': '{"type":"module"}\n',
  'price.js': 'export const discounted = (cents, percent) => Math.round(cents - cents * percent)\n',
  'price.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discounted } from './price.js'
test('ten percent', () => assert.equal(discounted(1000, 10), 900))
`,
}

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
    const { page, picture, command, answer } = await openEditor(life, { folder: repository.path, settings })

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
    await picture('04-succeeded')
  },
  180_000,
)
