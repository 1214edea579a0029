import { expect, it } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import { makeRepository } from '#test/e2e/node.ts'
import { missing, openEditor } from './editor.ts'

if (missing !== null) console.warn(`skipped: ${missing}`)

it.skipIf(missing !== null)('shows jobs and peers beside the other views, and says how the orchestrator stands', async () => {
  await using life = new Lifetime()
  using repository = makeRepository({ 'README.md': '# App\n' })
  const { page, picture } = await openEditor(life, { folder: repository.path, settings: { 'skein.server.start': false } })
  await page.getByRole('tab', { name: 'Skein' }).click()
  await page.locator('.statusbar-item', { hasText: 'Skein' }).waitFor()
  await page.getByText('The orchestrator cannot be reached').first().waitFor({ timeout: 15_000 })
  await picture('01-no-server')
  expect(await page.getByRole('button', { name: /Jobs Section/ }).count()).toBe(1)
  expect(await page.getByRole('button', { name: /Peers Section/ }).count()).toBe(1)
})
