import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DocumentSymbol, MarkupContent } from 'vscode-languageserver/node'
import { outline, parse, print } from '#server/specs/index.ts'
import type { JobState, SpecJob } from '#shared/model/index.ts'
import { actionsIn } from './actions.ts'
import { completionsAt } from './completion.ts'
import { createDiagnosing } from './diagnosing.ts'
import { type OpenDocument, openDocuments } from './documents.ts'
import { hoverOf } from './hover.ts'
import type { TaskJobs } from './jobs.ts'
import { commandOf, lensData, lensesOf } from './lenses.ts'
import { pointedAt, renameAt } from './navigation.ts'
import { foldingsOf, symbolsOf } from './outline-view.ts'
import { createSpecWorkspace, type SpecWorkspace, type WorkspaceFeature } from './workspace.ts'

const FIXTURE = fileURLToPath(new URL('../../../test/fixtures/specs/current/', import.meta.url))
const TASKS = 'specs/001-login/tasks.md'

let root: string
let opened: Map<string, OpenDocument>
let workspace: SpecWorkspace
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-language-'))
  cpSync(FIXTURE, root, { recursive: true })
  opened = new Map()
  workspace = createSpecWorkspace({ all: () => [...opened.values()], get: uri => opened.get(uri) })
  workspace.setFolders([pathToFileURL(root).href])
})
afterEach(() => rmSync(root, { recursive: true }))

const uriOf = (path: string): string => pathToFileURL(join(root, path)).href
function open(path: string, text: string, version = 1): string {
  const uri = uriOf(path)
  opened.set(uri, openDocuments.create(uri, 'markdown', version, text))
  return uri
}
async function featureOf(uri: string): Promise<WorkspaceFeature> {
  const feature = await workspace.featureOf(uri)
  if (!feature) throw new Error(`${uri} belongs to no feature`)
  return feature
}
const job = (state: JobState, more: Partial<SpecJob> = {}): SpecJob => ({
  ...{ jobId: 'aaaaaa11111111', state, node: null, checks: { green: 0, all: 0 } },
  ...{ commands: [], wording: 'same' },
  ...more,
})
const jobs = (task: string, state: JobState, more: Partial<SpecJob> = {}): TaskJobs => new Map([[task, job(state, more)]])

describe('where a document is', () => {
  it('is a folder of the editor, the innermost first; elsewhere what is around `specs`', () => {
    expect(workspace.locate(uriOf(TASKS))).toMatchObject({ root, path: TASKS, feature: '001-login', kind: 'tasks' })
    for (const name of ['README.md', 'docs/specs/001-x/tasks.md', 'specs/001-login/tasks.txt'])
      expect(workspace.locate(uriOf(name))).toBeNull()
    expect(workspace.locate('untitled:Untitled-1')).toBeNull()
    expect(workspace.locate('file:///elsewhere/specs/009-x/spec.md')).toMatchObject({ root: '/elsewhere', feature: '009-x' })
    workspace.setFolders([pathToFileURL(root).href, uriOf('docs')])
    expect(workspace.locate(uriOf('docs/specs/001-x/tasks.md'))).toMatchObject({ root: join(root, 'docs'), feature: '001-x' })
  })

  it('may be reached by a link, whose name stays', async () => {
    const link = `${root}-link`
    symlinkSync(root, link)
    try {
      workspace.setFolders([pathToFileURL(link).href])
      const feature = await featureOf(pathToFileURL(join(link, TASKS)).href)
      expect(feature.documents.map(({ uri }) => uri)).toContain(pathToFileURL(join(link, TASKS)).href)
    } finally {
      rmSync(link)
    }
  })
})

describe('a feature', () => {
  it('is what is open in the editor, and the rest from disk until that changes', async () => {
    const uri = open(TASKS, '- [ ] T001 Unsaved (FR-001)\n')
    const feature = await featureOf(uri)
    expect(feature.tasks.map(({ id }) => id)).toEqual(['T001'])
    expect(feature.requirements.length).toBeGreaterThan(0)
    expect(await featureOf(uri)).toBe(feature)
    writeFileSync(join(root, 'specs/001-login/spec.md'), '- **FR-900**: other\n')
    expect(await featureOf(uri)).toBe(feature)
    workspace.forget(uriOf('specs/001-login/spec.md'))
    expect((await featureOf(uri)).requirements.map(({ id }) => id)).toEqual(['FR-900'])
  })

  it('counts columns without the mark of byte order of a file, and changes nothing that is not UTF-8', async () => {
    writeFileSync(join(root, 'specs/001-login/spec.md'), '\uFEFF**FR-001** on the first line\n- **FR-001**: it\n')
    writeFileSync(join(root, 'specs/001-login/plan.md'), Buffer.from('FR-002 caf\xE9\n', 'latin1'))
    const uri = open(TASKS, '- [ ] T001 FR-001 and FR-002\n')
    const feature = await featureOf(uri)
    const at = (character: number) => {
      const pointed = pointedAt(feature, uri, { line: 0, character })
      if (!pointed) throw new Error('nothing there')
      return pointed
    }
    expect(renameAt(at(12), 'FR-009').documentChanges?.[0]).toMatchObject({
      edits: [{ range: { start: { line: 0, character: 2 }, end: { line: 0, character: 8 } } }, {}],
    })
    expect(() => renameAt(at(24), 'FR-009')).toThrow('plan.md is not UTF-8')
  })
})

describe('changes of an open document', () => {
  const change = fc.record({
    start: fc.record({ line: fc.nat(12), character: fc.nat(30) }),
    end: fc.record({ line: fc.nat(12), character: fc.nat(30) }),
    text: fc.oneof(fc.constantFrom('', '\n', '\r\n', '\r', 'T001', '- [ ] ', '```\n', '<!--', '-->'), fc.string()),
  })

  it('leave it as if it had been read as a whole, whatever they are', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(change, { maxLength: 8 }), (text, changes) => {
        let document = openDocuments.create('file:///x', 'markdown', 1, text)
        for (const { start, end, text: added } of changes)
          document = openDocuments.update(document, [{ range: { start, end }, text: added }], document.version + 1)
        expect(document.document).toEqual(parse(print(document.document)))
        expect(document.version).toBe(changes.length + 1)
      }),
    )
  })
})

describe('symbols and foldings', () => {
  const markdown = fc
    .array(fc.constantFrom('# A', '## B', '### C', '###', '- [ ] T001 x', '- [ ] y', 'text', '', '```', '<!--', '-->', '---'), {
      maxLength: 30,
    })
    .map(lines => lines.join('\n'))

  it('nest, hold their names, and stay within the document', () => {
    fc.assert(
      fc.property(markdown, text => {
        const document = parse(text)
        const said = outline(document, 'tasks')
        const lines = document.lines.length
        const inside = (symbol: DocumentSymbol, first: number, last: number): void => {
          const { start, end } = symbol.range
          expect([symbol.name === '', start.line >= first, end.line <= last]).toEqual([false, true, true])
          expect(symbol.selectionRange.start.line).toBe(start.line)
          expect(symbol.selectionRange.end.character).toBeLessThanOrEqual(document.lines[start.line]?.text.length ?? 0)
          for (const child of symbol.children ?? []) inside(child, start.line, end.line)
        }
        for (const symbol of symbolsOf(document, said)) inside(symbol, 0, lines - 1)
        for (const { startLine, endLine } of foldingsOf(document, said))
          expect([startLine < endLine, endLine < lines]).toEqual([true, true])
      }),
    )
  })
})

describe('hover', () => {
  const hover = async (text: string, jobsOf: TaskJobs, isMarkdown = true) => {
    const uri = open(TASKS, text)
    const pointed = pointedAt(await featureOf(uri), uri, { line: 0, character: 7 })
    const shown = pointed && hoverOf(pointed, jobsOf, isMarkdown)
    return shown ? (shown.contents as MarkupContent).value : null
  }

  it('shows what others wrote as text, not as what Markdown makes of it', async () => {
    const text = '- [x] T001 ![a](http://x.example/a.png) <b> `c`'
    expect(await hover(text, null)).toBe('**T001** \\!\\[a\\]\\(http\\://x\\.example/a\\.png\\) \\<b\\> \\`c\\`\n\n☑ ticked')
    expect(await hover(text, null, false)).toBe('T001 ![a](http://x.example/a.png) <b> `c`\n\n☑ ticked')
  })

  it('tells the state of the job, where it runs, and what proves it', async () => {
    const last = async (of: TaskJobs) => (await hover('- [ ] T001 x', of))?.split('\n\n').at(-1)
    expect(await last(jobs('T001', 'running', { node: 'B' }))).toBe('Job aaaaaa11111111: running on B')
    expect(await last(jobs('T001', 'succeeded'))).toBe('Job aaaaaa11111111: succeeded · no checks: nothing proves it')
    const about = async (of: TaskJobs) => (await hover('- [ ] T001 x', of, false))?.split('\n\n').slice(2)
    const test = { command: 'npm test', verdict: 'fixed' } as const
    const one = { checks: { green: 1, all: 1 }, commands: [test] }
    const failed = { checks: { green: 1, all: 2 }, commands: [test, { command: 'npm run lint', verdict: 'red' } as const] }
    expect(await about(jobs('T001', 'failed', failed))).toEqual([
      'Job aaaaaa11111111: failed · 1 of 2 checks green',
      'Checks: npm test (red before, green after), npm run lint (red)',
    ])
    expect(await about(jobs('T001', 'succeeded', { ...one, checks: { green: 3, all: 3 } }))).toEqual([
      'Job aaaaaa11111111: succeeded · 3 of 3 checks green · ✓ proven',
      'Checks: npm test (red before, green after) and 2 more',
    ])
    expect(await about(jobs('T001', 'succeeded', { ...one, wording: 'changed' }))).toEqual([
      'Job aaaaaa11111111: succeeded · 1 of 1 checks green',
      'The task asks for something else than when this job was made for it: nothing proves it.',
      'Checks: npm test (red before, green after)',
    ])
  })
})

describe('lenses', () => {
  const titles = async (text: string, of: TaskJobs) => {
    const uri = open(TASKS, text)
    const feature = await featureOf(uri)
    return lensesOf(feature, uri, of).map(({ data }) => {
      const known = lensData(data)
      return known && commandOf(feature, known, of)?.title
    })
  }

  it('are what can be done with a task', async () => {
    expect(await titles('- [ ] T001 x\n- [x] T002 y\n', null)).toEqual(['Run'])
    expect(await titles('- [ ] T001 x', jobs('T001', 'running', { node: 'B' }))).toEqual(['Running on B'])
    expect(await titles('- [ ] T001 x', jobs('T001', 'queued'))).toEqual(['Waiting'])
    expect(await titles('- [x] T001 x', jobs('T001', 'succeeded'))).toEqual(['Review'])
    expect(await titles('- [ ] T001 x', jobs('T001', 'succeeded'))).toEqual(['Review', 'Run again'])
    expect(await titles('- [ ] T001 x', jobs('T001', 'failed'))).toEqual(['Failed', 'Run again'])
  })

  it('of another time do nothing, and neither does what is no lens', async () => {
    const uri = open(TASKS, '- [ ] T001 x')
    const feature = await featureOf(uri)
    expect(commandOf(feature, { uri, task: 'T009', nth: 0 }, null)).toBeNull()
    expect(commandOf(feature, { uri, task: 'T001', nth: 1 }, null)).toBeNull()
    for (const data of [null, 7, {}, { uri: 1, task: 'T001', nth: 0 }]) expect(lensData(data)).toBeNull()
  })
})

describe('completion', () => {
  const at = async (text: string) => {
    const uri = open(TASKS, text)
    const line = text.split('\n').length - 1
    const character = text.split('\n').at(-1)?.length ?? 0
    return completionsAt(await featureOf(uri), uri, { line, character }).items
  }

  it('takes what was typed of an id, in either case, and replaces that alone', async () => {
    const [next, first] = await at('- [ ] T001 x (fr-')
    expect([next?.label, first?.label, first?.detail]).toEqual(['FR-006', 'FR-001', 'People MUST be able to ask for a link'])
    expect(first?.textEdit).toEqual({
      range: { start: { line: 0, character: 14 }, end: { line: 0, character: 17 } },
      newText: 'FR-001',
    })
  })

  it('offers no more than can be looked at, and what was typed on', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => `- [ ] T${String(index + 1).padStart(4, '0')} x\n`).join('')
    const uri = open(TASKS, `${many}- [ ] T099`)
    const feature = await featureOf(uri)
    const typed = (character: number) => completionsAt(feature, uri, { line: 1000, character })
    expect([typed(7).isIncomplete, typed(7).items.length]).toEqual([true, 201])
    expect(typed(10).isIncomplete).toBe(false)
    expect(typed(10).items.map(({ label }) => label)).toContain('T0999')
  })

  it('is silent inside words', async () => {
    expect(await at('- [ ] T001 xylophone')).toEqual([])
    expect(await at('- [ ] T001.')).toEqual([])
  })
})

describe('code actions', () => {
  it('tick a task, and not one whose id two have', async () => {
    const titles = async (text: string) => {
      const uri = open(TASKS, text)
      const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } }
      return actionsIn(await featureOf(uri), uri, range, null).map(({ title }) => title)
    }
    expect(await titles('- [ ] T001 x\n')).toEqual(['Tick T001'])
    expect(await titles('- [ ] T001 x\n- [ ] T001 y\n')).toEqual([])
  })
})

describe('diagnosing', () => {
  it('looks once at what comes together, tells what is different, and takes it back when all is closed', async () => {
    const uri = open(TASKS, '- [ ] T001 x\n- [ ] T001 y\n')
    const told: [string, number][] = []
    let looks = 0
    let isOpen = true
    const diagnosing = createDiagnosing({
      feature(of, name) {
        looks++
        return workspace.feature(of, name)
      },
      isOpen: () => isOpen,
      jobs: () => null,
      publish: ({ uri: of, diagnostics }) => void told.push([of.split('/').at(-1) ?? '', diagnostics.length]),
      failed(error) {
        throw error
      },
    })
    const settled = async () => {
      diagnosing.touch(root, '001-login')
      for (let turn = 0; turn < 6; turn++) {
        await new Promise(resolve => setImmediate(resolve))
        await workspace.feature(root, '001-login')
      }
    }
    for (let key = 0; key < 10; key++) {
      diagnosing.touch(root, '001-login')
      await new Promise(resolve => setImmediate(resolve))
    }
    await settled()
    expect(looks).toBe(1)
    expect(told).toContainEqual(['tasks.md', 1])
    told.length = 0
    open(TASKS, '- [ ] T001 x\n- [ ] T002 y\n', 2)
    await settled()
    expect(told).toEqual([['tasks.md', 0]])
    told.length = 0
    await settled()
    expect(told).toEqual([])
    isOpen = false
    opened.delete(uri)
    await settled()
    expect(told.every(([, count]) => count === 0)).toBe(true)
    expect(told.length).toBeGreaterThan(0)
  })
})
