import { expect, it } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository, startNode } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor } from './editor.ts'
import { makePlace } from './orchestrator.ts'

it.skipIf(missing !== null || !hasSandbox)(
  'works with a headless node at an address, groups its jobs by spec and filters them by state',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository({ 'README.md': '# App\n' })
    await using headless = await startNode({ 'node.name': 'desktop' })
    const place = await makePlace(life, 'http://127.0.0.1:9')
    const settings = { ...place.settings, 'skein.server.address': headless.url, 'skein.notifications': 'none' }
    const { page, picture, command, answer, jobs, showSkein } = await openEditor(life, { folder: repository.path, settings })
    await showSkein()
    await page.getByText('The orchestrator cannot be reached').first().waitFor()
    await command('Skein: Set Token of the Server')
    await answer(/Token/, headless.token)
    await page.getByText('No jobs yet').waitFor()
    expect(await place.pid()).toBeNull()
    await picture('60-headless')

    const run = (task: string, argv: string[], spec?: { feature: string; task: string }) =>
      headless.client.createJob({
        body: { agent: 'command', argv, task, repository: { path: repository.path }, ...(spec ? { spec } : {}) },
      })
    await run('Mend the login', ['true'], { feature: '001-login', task: 'T001' })
    await run('Break the login', ['false'], { feature: '001-login', task: 'T002' })
    await run('Count', ['true'])
    const row = (name: RegExp) => jobs.getByRole('treeitem', { name })
    await row(/^Failed 1/).waitFor()
    await row(/^Succeeded 2/).waitFor()
    await picture('61-by-state')

    await command('Skein: Group Jobs by Spec')
    await row(/^001-login 2/).click()
    await row(/^Break the login/).waitFor()
    await row(/^No Spec 1/).waitFor()
    await picture('62-by-spec')

    await command('Skein: Filter Jobs by State')
    for (const other of ['Running', 'Waiting', 'Succeeded', 'Cancelled'])
      await page.locator('.quick-input-list .monaco-list-row', { hasText: other }).click()
    await picture('63-filter')
    await page.keyboard.press('Enter')
    await row(/^001-login 1/).waitFor()
    await row(/^No Spec/).waitFor({ state: 'detached' })
    await page.getByText('by spec · Failed').waitFor()
    await picture('64-filtered')

    await page.reload()
    await row(/^001-login 1/).waitFor({ timeout: 60_000 })
    await command('Skein: Show All Jobs')
    await row(/^No Spec 1/).waitFor()
  },
  240_000,
)
