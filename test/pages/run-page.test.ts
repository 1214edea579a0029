import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasSandbox, makeRepository, startNode } from '#test/e2e/node.ts'
import { hasBrowser } from './browser.ts'
import { usePages } from './use-pages.ts'

const TASKS = `# Tasks: Shop

## Phase 1: Setup

- [x] T001 Make the folder
- [ ] T002 [P] Write a.txt
- [ ] T003 [P] Write <img src=x onerror=alert(1)>\u202E.txt

## Phase 2: Story

- [ ] T004 [US1] Put them together for FR-001 (depends on T002, T003)
`
const SPEC = `# Feature Specification: Shop

### User Story 1 - Buy (Priority: P1)

Somebody buys.

## Requirements

- **FR-001**: It MUST sell.
- **FR-002**: It MUST count.
`

describe.skipIf(!hasBrowser || !hasSandbox)('the page of a feature', () => {
  const view = usePages()

  it('shows its tasks in their order, runs one, and follows file and jobs', async () => {
    const { page } = view
    using repository = makeRepository({ 'specs/001-shop/tasks.md': TASKS, 'specs/001-shop/spec.md': SPEC })
    await using node = await startNode()
    await page.goto(`${node.url}/#token=${node.token}`)
    await page.getByText('No jobs yet').waitFor()
    await page.goto(`${node.url}/#/run/${encodeURIComponent(repository.path)}/001-shop`)
    const wave = (text: string) => page.locator('.waves > li').filter({ hasText: text })
    await page.getByRole('heading', { name: 'Phase 1: Setup' }).waitFor()
    expect(await wave('Write a.txt').locator('.task').count()).toBe(2)
    expect(await wave('Put them together').locator('.task').count()).toBe(1)
    await page.getByText('Write <img src=x onerror=alert(1)><U+202E>.txt').waitFor()
    await page.getByText('after T002, T003').waitFor()
    const uncovered = page.getByRole('row', { name: /^FR-002.*none$/ })
    await uncovered.waitFor()
    expect(await view.faultsInBothThemes()).toEqual([])

    await page.getByRole('button', { name: 'Run T002' }).click()
    await page.getByRole('heading', { name: 'New job for 001-shop, T002' }).waitFor()
    const prompt = await page.getByRole('textbox', { name: 'Task' }).inputValue()
    expect(prompt).toContain('Do task T002 of specs/001-shop/tasks.md: Write a.txt')
    await page.getByRole('combobox', { name: 'Agent', exact: true }).click()
    await page.getByRole('option', { name: 'A shell command, no agent' }).click()
    await page.getByRole('textbox', { name: 'Command' }).fill('echo a > a.txt')
    await page.getByRole('textbox', { name: 'Checks' }).fill('test -s a.txt')
    await page.getByRole('button', { name: 'Submit' }).click()
    await page.getByRole('status').filter({ hasText: 'succeeded' }).waitFor()
    await page.getByRole('link', { name: '001-shop, T002' }).click()
    const task = page.getByRole('listitem').filter({ hasText: 'Write a.txt' }).last()
    await task.getByText('succeeded').waitFor()
    await task.getByText('checks 1 of 1 green').waitFor()
    await page.reload()
    await task.getByText('succeeded').waitFor()

    const file = join(repository.path, 'specs/001-shop/tasks.md')
    repository.write('specs/001-shop/tasks.md', readFileSync(file, 'utf8').replace('- [ ] T002', '- [x] T002'))
    await task.getByText('done').waitFor()
  })

  it('says why there is nothing to show', async () => {
    const { page } = view
    using repository = makeRepository({ 'a.txt': 'a' })
    await using node = await startNode()
    await page.goto(`${node.url}/#token=${node.token}`)
    await page.getByText('No jobs yet').waitFor()
    await page.goto(`${node.url}/#/run/${encodeURIComponent(repository.path)}/001-shop`)
    await page.getByRole('alert').filter({ hasText: '001-shop' }).waitFor()
  })
})
