// npm run pictures [-- DIRECTORY]: shows the pages of three real nodes with real jobs in a real browser, light, dark and narrow, and keeps
// pictures: all of them in DIRECTORY, or those of the README in docs/pictures.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { makeRepository } from '#demo/repository.ts'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import type { JobRequest } from '#shared/model/index.ts'
import { fleetNode, pair } from '#test/e2e/fleet.ts'
import type { TestNode } from '#test/e2e/node.ts'
import { openBrowser } from '#test/pages/browser.ts'

const README = new Set(['jobs-light', 'log-dark', 'details-light', 'timeline-dark', 'fleet-light', 'run-dark'])
const all = process.argv[2]
const directory = all ?? fileURLToPath(new URL('../docs/pictures', import.meta.url))
mkdirSync(directory, { recursive: true })

const COLOURS = `i=1; while [ $i -le 400 ]; do printf '\\033[32m✓\\033[0m sells %s things \\033[2m(%s ms)\\033[0m\\n' $i $((i % 17)); i=$((i+1)); done
printf '\\033[1;31mFAIL\\033[0m \\033[7m price.test.js \\033[0m expected \\033[32m900\\033[0m, got \\033[31m-9000\\033[0m\\n'; exit 3`
const FEATURE = '001-discounts'
const SPEC = `# Feature Specification: Discounts in percent

### User Story 1 - Pay less (Priority: P1)

## Requirements

- **FR-001**: A discount MUST be a percentage.
- **FR-002**: A price MUST be rounded to cents.
- **FR-003**: A receipt MUST name the discount.
`
const TASKS = `# Tasks: Discounts in percent

## Phase 1: What is there

- [x] T001 Write tests of today's prices in price.test.js for FR-001

## Phase 2: Discounts (Priority: P1)

- [ ] T002 [US1] Divide the percentage in price.js for FR-001
- [ ] T003 [P] [US1] Round to cents in price.js for FR-002
- [ ] T004 [P] [US1] Sell four hundred things in load.test.js
- [ ] T005 [P] [US1] Translate the receipts (depends on T002)
`
const WAITING = 'i=0; while :; do echo "step $i"; i=$((i+1)); sleep 0.2; done'
const VIEWS = [
  ['light', { colorScheme: 'light', viewport: { width: 1200, height: 760 } }],
  ['dark', { colorScheme: 'dark', viewport: { width: 1200, height: 760 } }],
  ['narrow', { colorScheme: 'dark', viewport: { width: 390, height: 760 } }],
] as const

await using life = new Lifetime()
const root = mkdtempSync(join(tmpdir(), 'skein-pictures-'))
life.defer(() => rmSync(root, { recursive: true, force: true }))
const repository = join(root, 'shop')
await makeRepository(repository)
mkdirSync(join(repository, 'specs', FEATURE), { recursive: true })
writeFileSync(join(repository, 'specs', FEATURE, 'spec.md'), SPEC)
writeFileSync(join(repository, 'specs', FEATURE, 'tasks.md'), TASKS)
const model = life.use(await startScriptedModel({ steps: FIX_TEST_SESSION }))
async function node(name: string): Promise<TestNode> {
  const one = await fleetNode(name, {}, { OPENAI_BASE_URL: `${model.url}/v1` })
  life.defer(() => one[Symbol.asyncDispose]())
  return one
}
const [home, desktop, cupboard] = [await node('laptop'), await node('desktop'), await node('cupboard')]
for (const worker of [desktop, cupboard]) await pair(home, worker)
const peers = (await home.client.listPeers()).items

const submit = async (request: Partial<JobRequest>) =>
  (await home.client.createJob({ body: { agent: 'command', repository: { path: repository, include: 'changes' }, ...request } }))
    .jobId
const spec = (task: string) => ({ spec: { feature: FEATURE, task } })
const shell = (script: string) => ({ argv: ['sh', '-c', script] })
await home.finish(await submit({ task: 'Sell four hundred things', ...shell(COLOURS), ...spec('T004') }))
const fix = { task: 'Make the failing test pass', agent: 'builtin', checks: [['node', '--test']], ...spec('T002') }
await home.finish(await submit(fix))
const [first, second] = peers
if (!first || !second) throw new Error('The other nodes are gone')
for (const [task, { id }] of [
  ['Write the release notes', first],
  ['Say which dependency is the slowest', second],
  ['Translate the receipts', second],
] as const) {
  const jobId = await submit({
    task,
    ...shell(WAITING),
    where: { on: [id] },
    ...(task === 'Translate the receipts' ? spec('T005') : {}),
  })
  await home.until(jobId, ({ body }) => body.type === 'job.state' && body.to === 'running')
}

const browser = await openBrowser(life)
for (const [name, options] of VIEWS) {
  const context = await browser.newContext(options)
  await show(await context.newPage(), async (page, what) => {
    const file = `${what}-${name}`
    if (all !== undefined || README.has(file)) await page.screenshot({ path: join(directory, `${file}.png`) })
  })
  await context.close()
}

async function show(page: Page, keep: (page: Page, what: string) => Promise<void>): Promise<void> {
  const shot = async (what: string) => {
    // Nothing is under the mouse.
    await page.mouse.move(0, 0)
    await keep(page, what)
  }
  const open = (title: string) => page.getByRole('link', { name: title }).click()
  await page.goto(home.url)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await shot('sign-in')
  await page.goto('about:blank')
  await page.goto(`${home.url}/#token=${home.token}`)
  await page.getByRole('link', { name: fix.task }).waitFor()
  await shot('jobs')
  await page.getByRole('button', { name: 'New job' }).click()
  await page.getByRole('dialog').waitFor()
  await shot('new-job')
  await page.keyboard.press('Escape')
  await open('Sell four hundred things')
  await page.getByText('complete').waitFor()
  await shot('log')
  await page.getByRole('link', { name: 'Jobs', exact: true }).click()
  await open(fix.task)
  for (const [tab, sign] of [
    ['Timeline', 'ol'],
    ['Changes', '.diff'],
    ['Details', 'h2'],
  ] as const) {
    await page.getByRole('tab', { name: tab }).click()
    await page.locator(sign).first().waitFor()
    await shot(tab.toLowerCase())
  }
  await page.getByRole('link', { name: `${FEATURE}, T002` }).click()
  await page.getByRole('heading', { name: 'Phase 2' }).waitFor()
  await shot('run')
  await page.getByRole('link', { name: 'Fleet' }).click()
  await page.getByRole('link', { name: 'Translate the receipts' }).waitFor()
  await page.getByText(/^2 of \d+ slots taken/).waitFor()
  await shot('fleet')
}
