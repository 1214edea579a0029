import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

const ACP = fileURLToPath(new URL('../fakes/acp-agent.mjs', import.meta.url))

it.skipIf(missing !== null || !hasSandbox)(
  'asks for permission by a notification, and in the row of the job',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository({ 'README.md': '# App\n' })
    const model = life.use(await startScriptedModel({ steps: [] }))
    const agents = { opencode: { command: ACP, args: [], env: { FAKE_ACP: 'well' } } }
    const place = await makePlace(life, model.url, { agents })
    const settings = { ...place.settings, 'skein.jobs.agent': 'opencode' }
    const { page, picture, command, answer, jobs, showSkein } = await openEditor(life, { folder: repository.path, settings })
    await showSkein()
    await page.getByText('No jobs yet').waitFor()
    await command('Skein: New Job')
    await answer(/New Job in/, 'Write a file')
    const notice = page.locator('.notification-toast', { hasText: 'asks: write made.txt' })
    await notice.waitFor()
    await jobs.getByRole('treeitem', { name: /asks: write made.txt/ }).waitFor()
    await picture('30-permission')
    await notice.getByRole('button', { name: 'Allow', exact: true }).click()
    await jobs.getByRole('treeitem', { name: /^Succeeded/ }).waitFor()
    const { items } = await (await place.client()).listJobs({})
    const id = items[0]?.id ?? ''
    await until(() => repository.git('show', `refs/skein/jobs/${id}:made.txt`)).toBe('made\n')
    expect(items).toHaveLength(1)
  },
  180_000,
)
