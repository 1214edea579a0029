import { expect, it } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

/** Says a number ten times a second, long enough to be interrupted, and leaves a file. */
const COUNT = 'for at in $(seq 1 400); do echo tick $at; sleep 0.1; done; echo done > done.txt'

it.skipIf(missing !== null || !hasSandbox)(
  'goes on over a reload of the window and over the end of the orchestrator',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository({ 'README.md': '# App\n' })
    const place = await makePlace(life, 'http://127.0.0.1:9')
    const { page, picture, jobs, shown, showSkein } = await openEditor(life, {
      folder: repository.path,
      settings: place.settings,
    })
    await showSkein()
    await page.getByText('No jobs yet').waitFor()
    const client = await place.client()
    const request = { agent: 'command', argv: ['sh', '-c', COUNT], repository: { path: repository.path }, task: 'Count' }
    const { jobId } = await client.createJob({ body: request })
    await jobs.getByRole('treeitem', { name: /^Count/ }).click()
    // The page follows the end: what came before it was open may be past its top already.
    await shown
      .getByText(/^tick \d+$/)
      .first()
      .waitFor()
    await picture('20-counting')
    // A browser keeps what an editor had open every few seconds.
    await shown
      .getByText(/^tick (9|[1-3]\d)\d$/)
      .first()
      .waitFor()

    await page.reload()
    await shown
      .getByText(/^tick [1-3]\d\d$/)
      .first()
      .waitFor()
    await jobs.getByRole('treeitem', { name: /^Count/ }).waitFor()
    await picture('21-after-a-reload')

    const first = await place.pid()
    process.kill(first ?? 0, 'SIGKILL')
    await until(() => place.pid()).not.toBe(first)
    // The attempt died with it; the job did not.
    await jobs.getByRole('treeitem', { name: /^Count/ }).waitFor()
    await picture('22-after-a-kill')
    await jobs.getByRole('treeitem', { name: /^Succeeded/ }).waitFor({ timeout: 90_000 })
    const job = await (await place.client()).getJob({ params: { id: jobId } })
    expect(job).toMatchObject({ state: 'succeeded', epoch: 2 })
    await shown.getByText('tick 400', { exact: true }).waitFor()
    await picture('23-done-all-the-same')
  },
  240_000,
)
