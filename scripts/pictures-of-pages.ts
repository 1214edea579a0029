// npm run pictures [-- DIRECTORY]: shows the pages of a real node with real jobs in a real browser, light, dark and narrow, and keeps pictures.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Lifetime } from '#server/lib/lifetime.ts'
import { makeRepository } from '#test/e2e/node.ts'
import { openBrowser } from '#test/pages/browser.ts'
import { startServer } from '#test/pages/server.ts'

const directory = process.argv[2] ?? 'pictures'
mkdirSync(directory, { recursive: true })
const life = new Lifetime()
try {
  const server = await startServer(life)
  using repository = makeRepository({
    'sum.js': 'module.exports = (a, b) => a - b\n',
    'check.sh': 'test "$(cat answer 2>/dev/null)" = 42\n',
  })
  const shell = (script: string) => ['sh', '-c', script]
  const submit = (title: string, script: string, more: object = {}) =>
    server.client.createJob({
      body: { task: title, agent: 'command', argv: shell(script), repository: { path: repository.path }, ...more },
    })
  const colours =
    'i=1; while [ $i -le 400 ]; do printf "\\033[32m✓\\033[0m test %s \\033[2m(%s ms)\\033[0m\\n" $i $((i % 17)); i=$((i+1)); done; printf "\\033[1;31mFAIL\\033[0m \\033[7m sum.test.js \\033[0m expected \\033[32m3\\033[0m, got \\033[31m-1\\033[0m\\n"'
  await submit(
    'Make the failing test pass',
    `${colours}; sed -i 's/a - b/a + b/' sum.js; printf 42 > answer; printf '# Notes\\n\\nSums now add.\\n' > NOTES.md`,
    { checks: [shell('sh check.sh'), shell('grep -q "+ b" sum.js')] },
  )
  await submit('Rename the module that nobody understands', 'echo no; exit 3')
  for (const id of (await server.client.listJobs({})).items.map(({ id }) => id)) await settled(id)
  await submit('Write the release notes', 'i=0; while :; do echo "step $i"; i=$((i+1)); sleep 0.2; done')

  const browser = await openBrowser(life)
  for (const [name, options] of [
    ['light', { colorScheme: 'light', viewport: { width: 1200, height: 760 } }],
    ['dark', { colorScheme: 'dark', viewport: { width: 1200, height: 760 } }],
    ['narrow', { colorScheme: 'dark', viewport: { width: 390, height: 760 } }],
  ] as const) {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    const shot = (what: string) => page.screenshot({ path: join(directory, `${what}-${name}.png`) })
    await page.goto(server.url)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await shot('sign-in')
    await page.goto('about:blank')
    await page.goto(`${server.url}/#token=${server.token}`)
    await page.getByRole('link', { name: 'Make the failing test pass' }).waitFor()
    await shot('jobs')
    await page.getByRole('button', { name: 'New job' }).click()
    await page.getByRole('dialog').waitFor()
    await shot('new-job')
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'Make the failing test pass' }).click()
    await page.getByText('complete').waitFor()
    await shot('log')
    for (const tab of ['Timeline', 'Changes', 'Details']) {
      await page.getByRole('tab', { name: tab }).click()
      await page
        .locator(tab === 'Changes' ? '.diff' : tab === 'Details' ? 'h2' : 'ol')
        .first()
        .waitFor()
      await shot(tab.toLowerCase())
    }
    await page.getByRole('link', { name: 'Fleet' }).click()
    await page.getByText('1 running').waitFor()
    await shot('fleet')
    await context.close()
  }

  /** Waits for the end of a job. */
  async function settled(id: string): Promise<void> {
    const headers = { authorization: `Bearer ${server.token}`, accept: 'text/event-stream' }
    await (await fetch(`${server.url}/v1/jobs/${id}/events`, { headers })).text()
  }
} finally {
  await life[Symbol.asyncDispose]()
}
