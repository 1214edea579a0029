import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { hasSandbox, makeRepository } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor } from './editor.ts'
import { packHostTests } from './host/pack.ts'
import { DATA_DIR, ELSEWHERE, FILES, REPORT, type Report, VENDOR } from './host/plan.ts'
import { makePlace } from './orchestrator.ts'

if (missing !== null) console.warn(`skipped: ${missing}`)

it.skipIf(missing !== null || !hasSandbox)(
  'passes the tests that run inside the host of the extensions',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository(FILES)
    using elsewhere = makeRepository(FILES)
    const model = life.use(await startScriptedModel({ steps: [] }))
    const place = await makePlace(life, model.url)
    const report = join(place.dataDir, 'host-report.json')
    const vsix = join(place.dataDir, 'host.vsix')
    await packHostTests(vsix, VENDOR)
    const settings = { ...place.settings, 'skein.apply.preview': 'never', 'skein.notifications': 'none' }
    const env = { [REPORT]: report, [DATA_DIR]: place.dataDir, [ELSEWHERE]: elsewhere.path }
    const { page } = await openEditor(life, { folder: repository.path, settings, env, vsix })
    // The editor asks the person before a tool of an extension tells a model anything: here that is us.
    const dialog = page.locator('.monaco-dialog-box')
    const answered = async () => {
      if (await dialog.isVisible())
        await dialog.locator('.dialog-buttons a:not(.secondary), .dialog-buttons button:not(.secondary)').first().click()
      return existsSync(report)
    }
    await expect.poll(answered, { timeout: 240_000 }).toBe(true)
    const told = JSON.parse(await readFile(report, 'utf8')) as Report
    expect(Object.values(told).filter(failure => failure !== null)).toEqual([])
    expect(Object.keys(told).map(name => name.split(':')[0])).toEqual([
      'commands',
      'links',
      'trees',
      'results',
      'tools',
      'models',
      'chat',
    ])
  },
  300_000,
)
