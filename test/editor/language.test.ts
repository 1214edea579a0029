import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startScriptedModel } from '#demo/scripted-model.ts'
import { Lifetime } from '#server/lib/lifetime.ts'
import { makeRepository } from '#test/e2e/node.ts'
import { missing } from './code-server.ts'
import { openEditor, until } from './editor.ts'
import { makePlace } from './orchestrator.ts'

if (missing !== null) console.warn(`skipped: ${missing}`)

const TASKS = 'specs/001-shop/tasks.md'
const PLAN = 'specs/001-shop/plan.md'
const FILES = {
  'specs/001-shop/spec.md': '# Feature Specification: Shop\n\n- **FR-001**: The shop MUST show prices\n',
  [PLAN]: '# Implementation Plan: Shop\n\nT001 comes first.\n',
  [TASKS]: '# Tasks: Shop\n\n- [ ] T001 Begin (FR-001)\n- [ ] T002 Go on (depends on T001)\n- [ ] T002 Twice\n',
}

it.skipIf(missing !== null)(
  'mends a problem by a quick fix, renames an id everywhere, and tells of a spec in the chat',
  async () => {
    await using life = new Lifetime()
    using repository = makeRepository(FILES)
    const model = life.use(await startScriptedModel({ steps: [] }))
    const place = await makePlace(life, model.url)
    const { page, picture, command, open, goTo, text, say, showSkein } = await openEditor(life, {
      folder: repository.path,
      settings: { ...place.settings, 'skein.notifications': 'none' },
    })
    const onDisk = (name: string) => readFileSync(join(repository.path, name), 'utf8')

    await showSkein()
    await page
      .getByRole('tree', { name: 'Specs' })
      .getByRole('treeitem', { name: /^001-shop/ })
      .waitFor()
    await open('tasks.md')
    await page.locator('.view-overlays [class*="squiggly-"]').first().waitFor()
    await goTo(5, 8)
    await page.keyboard.press('Control+.')
    const fix = page.locator('.action-widget .monaco-list-row', { hasText: 'Number it T003' })
    await fix.waitFor()
    await picture('70-quick-fix')
    await fix.click()
    await until(text).toContain('T003 Twice')

    await goTo(3, 8)
    await page.keyboard.press('F2')
    const name = page.locator('.rename-box input')
    await name.waitFor()
    await name.fill('T010')
    await picture('71-rename')
    await name.press('Enter')
    await until(text).toContain('(depends on T010)')
    await command('File: Save All Files')
    await until(() => onDisk(PLAN)).toBe('# Implementation Plan: Shop\n\nT010 comes first.\n')
    await until(() => onDisk(TASKS)).toBe(
      '# Tasks: Shop\n\n- [ ] T010 Begin (FR-001)\n- [ ] T002 Go on (depends on T010)\n- [ ] T003 Twice\n',
    )

    await command('Chat: Open Chat')
    const chat = page.locator('.interactive-session')
    await chat.locator('.chat-input-toolbars').getByText('scripted').waitFor()
    await say('/spec')
    await chat.getByText('001-shop').first().waitFor()
    await say('/spec 001-shop T010')
    await chat.getByRole('button', { name: 'Run on the Fleet' }).waitFor()
    await picture('72-spec-in-chat')
    expect(await chat.getByText('Begin').count()).toBeGreaterThan(0)
  },
  240_000,
)
