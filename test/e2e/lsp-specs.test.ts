import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import {
  type ApplyWorkspaceEditParams,
  ApplyWorkspaceEditRequest,
  type ClientCapabilities,
  CodeActionRequest,
  type CodeLens,
  CodeLensRefreshRequest,
  CodeLensRequest,
  CodeLensResolveRequest,
  CompletionRequest,
  DefinitionRequest,
  DidChangeTextDocumentNotification,
  DidChangeWatchedFilesNotification,
  DidCloseTextDocumentNotification,
  DidOpenTextDocumentNotification,
  DocumentSymbolRequest,
  FileChangeType,
  type FileEvent,
  FoldingRangeRequest,
  type Hover,
  HoverRequest,
  type MarkupContent,
  type Position,
  PrepareRenameRequest,
  ReferencesRequest,
  RegistrationRequest,
  RenameRequest,
  ShowMessageNotification,
  ShowMessageRequest,
  type TextDocumentEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver/node'
import { LSP_COMMANDS, LSP_NOTIFICATIONS, type SpecsChangedParams } from '#shared/contract/index.ts'
import { type Desk, type Editor, openDesk } from './editor.ts'
import { makeRepository, type TestRepository } from './node.ts'

const FIXTURE = fileURLToPath(new URL('../fixtures/specs/current/', import.meta.url))
const FEATURE = 'specs/001-login'

/** What VS Code can do, of what is asked for here. */
const CAPABILITIES: ClientCapabilities = {
  textDocument: { hover: { contentFormat: ['markdown', 'plaintext'] } },
  workspace: {
    applyEdit: true,
    workspaceEdit: { documentChanges: true, changeAnnotationSupport: { groupsOnLabel: true } },
    codeLens: { refreshSupport: true },
    didChangeWatchedFiles: { dynamicRegistration: true },
    workspaceFolders: true,
  },
}

/** A window on a repository with specs. */
interface Window extends AsyncDisposable {
  readonly desk: Desk
  readonly editor: Editor
  readonly repository: TestRepository
  uri(name: string): string
  text(name: string): string
  /** Opens a document, with what is on disk or with another text. @returns its URI */
  show(name: string, text?: string): Promise<string>
  /** Where a text stands first, a column into it. */
  at(name: string, text: string): { textDocument: { uri: string }; position: Position }
}

async function openWindow(server: { start?: boolean } = { start: false }, capabilities = CAPABILITIES): Promise<Window> {
  const repository = makeRepository({})
  cpSync(FIXTURE, repository.path, { recursive: true })
  repository.git('add', '--all')
  repository.git('commit', '--quiet', '--message=specs')
  const desk = await openDesk()
  const folder = { uri: pathToFileURL(repository.path).href, name: 'repository' }
  const editor = await desk.open({ server, params: { capabilities, workspaceFolders: [folder] } })
  editor.connection.onRequest(RegistrationRequest.type, () => {})
  const uri = (name: string) => pathToFileURL(join(repository.path, FEATURE, name)).href
  const text = (name: string) => readFileSync(join(repository.path, FEATURE, name), 'utf8')
  return {
    ...{ desk, editor, repository, uri, text },
    async show(name, given = text(name)) {
      const textDocument = { uri: uri(name), languageId: 'markdown', version: 1, text: given }
      await editor.connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument })
      return textDocument.uri
    },
    at(name, wanted) {
      const lines = text(name).split('\n')
      const line = lines.findIndex(one => one.includes(wanted))
      return { textDocument: { uri: uri(name) }, position: { line, character: (lines[line]?.indexOf(wanted) ?? 0) + 1 } }
    },
    async [Symbol.asyncDispose]() {
      await desk[Symbol.asyncDispose]()
      repository[Symbol.dispose]()
    },
  }
}

async function until(fits: () => Promise<boolean>): Promise<void> {
  while (!(await fits())) await new Promise(resolve => setTimeout(resolve, 20))
}

const codes = (editor: Editor, uri: string): string[] =>
  editor.problems(uri).map(({ code, range }) => `${range.start.line + 1} ${code}`)
const hoverText = (hover: Hover | null): string => (hover?.contents as MarkupContent | undefined)?.value ?? ''

/** Edits of documents, as `file: line old→new`. */
function described({ documentChanges = [] }: WorkspaceEdit): string[] {
  return (documentChanges as TextDocumentEdit[]).flatMap(({ textDocument, edits }) =>
    edits.flatMap(edit =>
      'newText' in edit ? [`${textDocument.uri.split('/').at(-1)}:${edit.range.start.line + 1} ${edit.newText}`] : [],
    ),
  )
}

it('tells what is wrong in every document of a feature, as it is typed, and forgets it when they are closed', async () => {
  await using window = await openWindow()
  const { editor } = window
  const tasks = await window.show('tasks.md')
  const [spec, plan] = [window.uri('spec.md'), window.uri('plan.md')]
  await editor.until(() => editor.problems(tasks).length > 0 || undefined)
  expect(codes(editor, spec)).toEqual(['46 needs-clarification', '47 requirement-without-task', '52 requirement-without-task'])
  expect(codes(editor, plan)).toEqual(['9 needs-clarification'])
  expect(codes(editor, tasks)).toEqual(['12 unknown-id'])

  // T002 becomes a second T001, and waits for itself.
  const line = window.at('tasks.md', 'T002').position.line
  const range = { start: { line, character: 6 }, end: { line, character: 10 } }
  const contentChanges = [{ range, text: 'T001' }]
  await editor.connection.sendNotification(DidChangeTextDocumentNotification.type, {
    textDocument: { uri: tasks, version: 2 },
    contentChanges,
  })
  const twice = await editor.until(() => editor.problems(tasks).find(({ code }) => code === 'duplicate-id'))
  expect(twice).toMatchObject({
    ...{ severity: 1, source: 'skein', range },
    message: `T001 is used before, in ${FEATURE}/tasks.md on line 22.`,
  })

  await editor.connection.sendNotification(DidCloseTextDocumentNotification.type, { textDocument: { uri: tasks } })
  await editor.until(() => (editor.problems(spec).length === 0 && editor.problems(tasks).length === 0) || undefined)
})

it('reads a document anew when it changed on disk', async () => {
  await using window = await openWindow()
  const { editor, repository } = window
  await window.show('tasks.md')
  const spec = window.uri('spec.md')
  await editor.until(() => editor.problems(spec).length === 3 || undefined)
  const changed = new Promise<SpecsChangedParams>(resolve =>
    editor.connection.onNotification(LSP_NOTIFICATIONS.specsChanged, resolve),
  )
  repository.write(`${FEATURE}/spec.md`, window.text('spec.md').replace('[NEEDS CLARIFICATION: an hour, or a day?]', 'an hour'))
  const changes: FileEvent[] = [{ uri: spec, type: FileChangeType.Changed }]
  await editor.connection.sendNotification(DidChangeWatchedFilesNotification.type, { changes })
  await editor.until(() => editor.problems(spec).length === 2 || undefined)
  expect(await changed).toEqual({ repositories: [repository.path] })
})

it('shows symbols, foldings, what an id is, where it is described and where it is named', async () => {
  await using window = await openWindow()
  const { connection } = window.editor
  const uri = await window.show('tasks.md')
  const symbols = await connection.sendRequest(DocumentSymbolRequest.type, { textDocument: { uri } })
  expect(symbols).toMatchObject([{ name: 'Tasks: Sign in with a link', children: expect.arrayContaining([]) }])
  const setup = JSON.stringify(symbols)
  for (const name of ['Phase 1: Setup (Shared Infrastructure)', 'T001', 'T009']) expect(setup).toContain(`"name":"${name}"`)
  for (const name of ['T901', 'T902', 'T903']) expect(setup).not.toContain(`"name":"${name}"`)
  const foldings = await connection.sendRequest(FoldingRangeRequest.type, { textDocument: { uri } })
  expect(foldings).toContainEqual({ startLine: 0, endLine: 3 })
  expect(foldings).toContainEqual({ startLine: 13, endLine: 15, kind: 'comment' })

  const hover = async (name: string, text: string) =>
    hoverText(await connection.sendRequest(HoverRequest.type, window.at(name, text)))
  expect(await hover('tasks.md', 'T005')).toBe(
    '**T005** Send mails in src/mail\\.ts \\(depends on T003, T004\\)\n\nPhase 3\\: User Story 1 \\- Ask for a link \\(Priority\\: P1\\) 🎯 MVP · US1\n\n☐ open\n\nAfter T003, T004',
  )
  expect(await hover('tasks.md', 'FR-002')).toBe(
    '**FR-002** The system MUST answer alike for known and unknown addresses\n\n0 of 3 tasks done: T005, T004, T006',
  )
  expect(await hover('tasks.md', 'US1]')).toContain('**US1** Ask for a link (P1)')
  expect(await hover('tasks.md', 'Purpose')).toBe('')

  const at = window.at('tasks.md', 'FR-002')
  const { line } = window.at('spec.md', '**FR-002**').position
  expect(await connection.sendRequest(DefinitionRequest.type, at)).toEqual([
    { uri: window.uri('spec.md'), range: { start: { line, character: 4 }, end: { line, character: 10 } } },
  ])
  const references = await connection.sendRequest(ReferencesRequest.type, { ...at, context: { includeDeclaration: false } })
  expect(references?.map(one => `${one.uri.split('/').at(-1)}:${one.range.start.line + 1}`)).toEqual([
    'spec.md:20',
    'tasks.md:42',
  ])
})

it('completes ids, renames one everywhere or says why not, and mends what can be mended', async () => {
  await using window = await openWindow()
  const { connection } = window.editor
  const text = `${window.text('tasks.md')}\n## More\n\n- [ ] T009b Something\n- [ ] Without an id\n- [ ] T`
  const uri = await window.show('tasks.md', text)
  const last = text.split('\n').length - 1
  const completions = await connection.sendRequest(CompletionRequest.type, {
    textDocument: { uri },
    position: { line: last, character: 7 },
  })
  const labels = (completions && 'items' in completions ? completions.items : []).map(({ label }) => label)
  expect(labels.slice(0, 3)).toEqual(['T010', 'T001', 'T002'])

  const at = window.at('tasks.md', 'T001')
  expect(await connection.sendRequest(PrepareRenameRequest.type, at)).toMatchObject({ placeholder: 'T001' })
  const renamed = await connection.sendRequest(RenameRequest.type, { ...window.at('tasks.md', 'FR-005'), newName: 'FR-105' })
  expect(described(renamed ?? {})).toEqual(['plan.md:14 FR-105', 'spec.md:51 FR-105', 'tasks.md:47 FR-105'])
  const versions = (renamed?.documentChanges ?? []) as TextDocumentEdit[]
  expect(versions.map(({ textDocument: { version } }) => version)).toEqual([null, null, 1])
  const story = await connection.sendRequest(RenameRequest.type, { ...window.at('tasks.md', 'US2]'), newName: 'US3' })
  expect(described(story ?? {})).toContain('spec.md:30 User Story 3')
  const taken = connection.sendRequest(RenameRequest.type, { ...at, newName: 'T002' })
  await expect(taken).rejects.toMatchObject({ message: expect.stringContaining('T002 is in use already') })

  const actions = async (line: number) => {
    const range = { start: { line, character: 0 }, end: { line, character: 0 } }
    const found = await connection.sendRequest(CodeActionRequest.type, {
      textDocument: { uri },
      range,
      context: { diagnostics: [] },
    })
    return (found ?? []).map(action => [action.title, 'edit' in action ? described(action.edit ?? {}) : null])
  }
  expect(await actions(at.position.line)).toEqual([['Clear the box of T001', [`tasks.md:${at.position.line + 1}  `]]])
  expect(await actions(last - 1)).toEqual([['Give it the id T010', [`tasks.md:${last}  T010`]]])
})

/** Lenses of a document, resolved: `line title`. */
async function lenses({ editor }: Window, uri: string): Promise<(readonly [string, CodeLens])[]> {
  const found = (await editor.connection.sendRequest(CodeLensRequest.type, { textDocument: { uri } })) ?? []
  return Promise.all(
    found.map(async lens => {
      const resolved = await editor.connection.sendRequest(CodeLensResolveRequest.type, lens)
      return [`${lens.range.start.line + 1} ${resolved.command?.title}`, resolved] as const
    }),
  )
}

it('shows over a task what its job does, and hints at a box that no job stands behind', async () => {
  await using window = await openWindow({ start: true })
  const { editor, repository } = window
  let refreshed = 0
  editor.connection.onRequest(CodeLensRefreshRequest.type, () => void refreshed++)
  const specsChanged: SpecsChangedParams[] = []
  editor.connection.onNotification(LSP_NOTIFICATIONS.specsChanged, said => void specsChanged.push(said))
  const uri = await window.show('tasks.md')
  await editor.state('ready')
  await editor.until(() => editor.problems(uri).length > 1 || undefined)
  expect(codes(editor, uri)).toEqual(['12 unknown-id', '22 done-without-job'])
  expect((await lenses(window, uri)).slice(0, 2).map(([text]) => text)).toEqual(['23 Run', '27 Run'])
  const [, run] = (await lenses(window, uri))[0] ?? []
  expect(run?.command).toEqual({
    title: 'Run',
    command: LSP_COMMANDS.runTask,
    arguments: [
      {
        ...{ feature: '001-login', task: 'T002', title: 'Configure the linter in biome.json' },
        ...{ repository: repository.path, document: uri, jobId: null },
      },
    ],
  })

  const gate = join(window.desk.dataDir, 'gate')
  const { jobId } = await editor.call('createJob', {
    body: {
      agent: 'command',
      argv: ['sh', '-c', `until [ -e ${gate} ]; do sleep 0.05; done; echo linted > biome.json`],
      sandbox: 'none',
      repository: { path: repository.path },
      checks: [['test', '-e', 'biome.json']],
      spec: { feature: '001-login', task: 'T002' },
    },
  })
  const first = async () => (await lenses(window, uri))[0]
  const untilFirst = async (title: string) => {
    for (;;) {
      const lens = await first()
      if (lens?.[0] === title) return lens[1]
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  const running = await untilFirst('23 Running')
  expect(running.command).toEqual({ title: 'Running', command: LSP_COMMANDS.openJob, arguments: [{ jobId }] })
  writeFileSync(gate, '')
  const review = await untilFirst('23 Review')
  expect(review.command).toEqual({ title: 'Review', command: LSP_COMMANDS.reviewJob, arguments: [{ jobId }] })
  expect(refreshed).toBeGreaterThan(0)
  const hover = hoverText(await editor.connection.sendRequest(HoverRequest.type, window.at('tasks.md', 'T002')))
  expect(hover).toContain(`Job ${jobId}: succeeded · 1 of 1 checks green · ✓ proven`)
  expect(specsChanged).toContainEqual({ repositories: [repository.path] })
})

it('shows a proposed change for confirmation, and refuses one that is for other content', async () => {
  await using window = await openWindow({ start: true })
  const { editor, repository } = window
  await window.show('tasks.md')
  await editor.state('ready')
  const asked: ApplyWorkspaceEditParams[] = []
  const warned: string[] = []
  let takes = true
  editor.connection.onRequest(ApplyWorkspaceEditRequest.type, params => {
    asked.push(params)
    return { applied: takes }
  })
  editor.connection.onNotification(ShowMessageNotification.type, ({ message }) => void warned.push(message))
  const path = `${FEATURE}/tasks.md`
  const propose = async (text: string) => {
    const { documents } = await editor.call('getSpec', {
      params: { feature: '001-login' },
      query: { repository: repository.path },
    })
    const bases = documents.filter(document => document.path === path).map(({ sha256 }) => ({ path, sha256 }))
    const body = { repository: repository.path, reason: 'One more task', bases, change: { kind: 'replace', path, text } }
    const accepted = await editor.call('editSpec', { params: { feature: '001-login' }, body })
    if (accepted.status !== 'offered') throw new Error(`It was ${accepted.status}`)
    for (;;) {
      const state = await editor.call('getSpecOffer', { params: { id: accepted.offer } })
      if (state.outcome !== 'open') return state
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  const longer = `${window.text('tasks.md')}- [ ] T010 More\n`
  expect(await propose(longer)).toMatchObject({ outcome: 'applied', detail: null })
  expect(asked[0]).toMatchObject({
    label: 'One more task',
    edit: { changeAnnotations: { skein: { label: 'One more task', needsConfirmation: true } } },
  })
  expect(asked[0]?.edit.documentChanges).toMatchObject([
    {
      textDocument: { uri: window.uri('tasks.md'), version: 1 },
      edits: [{ annotationId: 'skein', newText: '- [ ] T010 More\n' }],
    },
  ])
  takes = false
  expect(await propose(`${longer}- [ ] T011 Even more\n`)).toMatchObject({ outcome: 'refused' })

  const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } }
  await editor.connection.sendNotification(DidChangeTextDocumentNotification.type, {
    textDocument: { uri: window.uri('tasks.md'), version: 2 },
    contentChanges: [{ range, text: 'unsaved\n' }],
  })
  expect(await propose(longer)).toMatchObject({
    outcome: 'refused',
    detail: expect.stringContaining(`${path} is not in the editor as it was`),
  })
  await editor.until(() => warned.length > 0 || undefined)
  expect(warned[0]).toContain('One more task')
  expect(asked).toHaveLength(2)
})

it('asks in words where an editor cannot show a change for confirmation', async () => {
  const workspace = { ...CAPABILITIES.workspace, workspaceEdit: {} }
  await using window = await openWindow({ start: true }, { ...CAPABILITIES, workspace })
  const { editor, repository } = window
  await window.show('tasks.md')
  await editor.state('ready')
  const said: string[] = []
  editor.connection.onRequest(ShowMessageRequest.type, ({ message, actions = [] }) => {
    said.push(message)
    return actions[said.length === 1 ? 1 : 0] ?? null
  })
  const applied: ApplyWorkspaceEditParams[] = []
  editor.connection.onRequest(ApplyWorkspaceEditRequest.type, params => {
    applied.push(params)
    return { applied: true }
  })
  const change = { kind: 'replace', path: `${FEATURE}/tasks.md`, text: `${window.text('tasks.md')}more\n` }
  const { documents } = await editor.call('getSpec', { params: { feature: '001-login' }, query: { repository: repository.path } })
  const bases = documents.map(({ path, sha256 }) => ({ path, sha256 }))
  const body = { repository: repository.path, reason: 'More', bases, change }
  for (const outcome of ['refused', 'applied']) {
    const accepted = await editor.call('editSpec', { params: { feature: '001-login' }, body })
    if (accepted.status !== 'offered') throw new Error(`It was ${accepted.status}`)
    await until(async () => (await editor.call('getSpecOffer', { params: { id: accepted.offer } })).outcome === outcome)
  }
  expect(said[0]).toBe('A change of the specs is proposed: More')
  expect(applied).toMatchObject([{ edit: { changes: { [window.uri('tasks.md')]: [{ newText: 'more\n' }] } } }])
})

it('leaves other documents alone', async () => {
  await using window = await openWindow()
  const { editor, repository } = window
  const uri = pathToFileURL(join(repository.path, 'README.md')).href
  const textDocument = { uri, languageId: 'markdown', version: 1, text: '# T001\n\n- [ ] T001\n- [ ] T001\n' }
  await editor.connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument })
  expect(await editor.connection.sendRequest(DocumentSymbolRequest.type, { textDocument: { uri } })).toEqual([])
  expect(await editor.connection.sendRequest(CodeLensRequest.type, { textDocument: { uri } })).toEqual([])
  const at = { textDocument: { uri }, position: { line: 2, character: 7 } }
  expect(await editor.connection.sendRequest(HoverRequest.type, at)).toBeNull()
  await expect(editor.connection.sendRequest(RenameRequest.type, { ...at, newName: 'T002' })).resolves.toBeNull()
  expect(editor.problems(uri)).toEqual([])
  rmSync(join(repository.path, 'specs'), { recursive: true })
})
