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

/** Whether each line ends at the card it leads to. */
const ENDS = `(() => {
  const within = name => [...document.querySelectorAll('*')].reduce(function find(found, one) {
    if (found || one.localName === name) return found ?? one
    return [...(one.shadowRoot?.querySelectorAll('*') ?? [])].reduce(find, null)
  }, null)
  const graph = within('skein-edges').parentElement
  const origin = graph.getBoundingClientRect()
  return [...within('skein-edges').shadowRoot.querySelectorAll('path.line')].every(line => {
    const [, to] = line.dataset.edge.split(' ')
    const card = graph.querySelector('[data-task="' + to + '"]').getBoundingClientRect()
    const { x, y } = line.getPointAtLength(line.getTotalLength())
    const [left, top] = [card.left - origin.left, card.top - origin.top]
    const isAt = (toX, toY) => Math.abs(x - toX) < 2 && Math.abs(y - toY) < 2
    // From above, or around the right side.
    return isAt(left + card.width / 2, top) || isAt(left + card.width, top + card.height / 2)
  })
})()`

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
    const drawn = () => page.locator('skein-edges path.line').evaluateAll(all => all.map(one => one.getAttribute('data-edge')))
    await expect.poll(drawn).toEqual(['T002 T004', 'T003 T004'])
    const last = page.locator('.task').filter({ hasText: 'Put them together' })
    expect(await last.innerText()).toContain('after T002, T003')
    // Each line ends where its task begins, also when there is less room.
    const isJoined = () => page.evaluate(ENDS)
    await expect.poll(isJoined).toBe(true)
    await page.setViewportSize({ width: 420, height: 800 })
    await expect.poll(isJoined).toBe(true)
    await page.setViewportSize({ width: 1280, height: 720 })
    // By keyboard, from a task to one that it waits for; its lines stand out.
    const first = page.locator('.task').filter({ hasText: 'Write a.txt' })
    await last.getByRole('link', { name: 'T002' }).press('Enter')
    await expect.poll(() => first.evaluate(card => card.matches(':focus'))).toBe(true)
    await expect.poll(() => page.locator('path.chosen').count()).toBe(1)
    await first.getByRole('link', { name: 'T004' }).waitFor()
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
