import {
  type ClientCapabilities,
  CodeActionKind,
  type Connection,
  DidChangeWatchedFilesNotification,
  type InitializeParams,
  LSPErrorCodes,
  ResponseError,
  type ServerCapabilities,
  TextDocumentSyncKind,
  TextDocuments,
  type WorkspaceEdit,
} from 'vscode-languageserver/node'
import { SpecEditError } from '#server/specs/index.ts'
import { actionsIn } from './actions.ts'
import { completionsAt } from './completion.ts'
import { createDiagnosing } from './diagnosing.ts'
import { openDocuments } from './documents.ts'
import { hoverOf } from './hover.ts'
import type { JobsOfTasks } from './jobs.ts'
import { commandOf, lensData, lensesOf } from './lenses.ts'
import { definitionOf, type Pointed, pointedAt, referencesTo, renameAt, renameRange } from './navigation.ts'
import { foldingsOf, symbolsOf } from './outline-view.ts'
import { createSpecWorkspace, type WorkspaceFeature } from './workspace.ts'

const WATCHED = '**/{specs,.specify}/**/*.md'

/** What an editor is told that it can ask of this language. */
export const CAPABILITIES: ServerCapabilities = {
  textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
  documentSymbolProvider: true,
  foldingRangeProvider: true,
  hoverProvider: true,
  definitionProvider: true,
  referencesProvider: true,
  completionProvider: { triggerCharacters: ['-', '['] },
  renameProvider: { prepareProvider: true },
  codeLensProvider: { resolveProvider: true },
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix, CodeActionKind.RefactorRewrite] },
  workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
}

export interface LanguageDeps {
  readonly jobs: JobsOfTasks
  /** Documents of these work trees changed on disk. */
  filesChanged(roots: readonly string[]): void
  /** Others are open than before. */
  foldersChanged(): void
  failed(error: unknown): void
}

/** The language of Spec Kit's documents, as an editor asks for it. */
export interface Language {
  initialize(params: InitializeParams): void
  /** After the editor said `initialized`. */
  start(): void
  /** The jobs of a feature changed. */
  jobsChanged(root: string, feature: string): void
  roots(): readonly string[]
  feature(root: string, name: string): Promise<WorkspaceFeature | null>
  /** An edit in the form that the editor takes. */
  supported(edit: WorkspaceEdit): WorkspaceEdit
}

export function answerLanguage(connection: Connection, { jobs, filesChanged, foldersChanged, failed }: LanguageDeps): Language {
  const documents = new TextDocuments(openDocuments)
  const workspace = createSpecWorkspace({ all: () => documents.all(), get: uri => documents.get(uri) })
  let client: ClientCapabilities = {}
  let folders: readonly string[] = []
  let lensesAreStale = false

  const isOpen = (root: string, name: string): boolean =>
    documents.keys().some(uri => {
      const place = workspace.locate(uri)
      return place?.root === root && place.feature === name
    })
  const diagnosing = createDiagnosing({
    feature: workspace.feature,
    isOpen,
    jobs: jobs.of,
    publish: params => void connection.sendDiagnostics(params).catch(failed),
    failed,
  })

  /** Something of a document's feature changed. */
  function touch(uri: string): void {
    const place = workspace.locate(uri)
    if (place?.feature) diagnosing.touch(place.root, place.feature)
  }
  async function withFeature<T>(uri: string, otherwise: T, work: (feature: WorkspaceFeature) => T): Promise<T> {
    const feature = await workspace.featureOf(uri)
    return feature ? work(feature) : otherwise
  }
  const jobsOf = ({ root, name }: WorkspaceFeature) => jobs.of(root, name)
  type At = { textDocument: { uri: string }; position: { line: number; character: number } }
  const withId = <T>({ textDocument: { uri }, position }: At, otherwise: T, work: (pointed: Pointed) => T): Promise<T> =>
    withFeature(uri, otherwise, feature => {
      const pointed = pointedAt(feature, uri, position)
      return pointed ? work(pointed) : otherwise
    })

  documents.onDidOpen(({ document: { uri } }) => {
    const place = workspace.locate(uri)
    if (place?.feature) jobs.want(place.root, place.feature)
  })
  documents.onDidChangeContent(({ document: { uri } }) => touch(uri))
  documents.onDidSave(({ document: { uri } }) => reread([uri]))
  documents.onDidClose(({ document: { uri } }) => {
    const place = workspace.locate(uri)
    if (place?.feature && !isOpen(place.root, place.feature)) jobs.drop(place.root, place.feature)
    reread([uri])
  })
  connection.onDidChangeWatchedFiles(({ changes }) => reread(changes.map(({ uri }) => uri)))

  function reread(uris: readonly string[]): void {
    const roots = new Set<string>()
    for (const uri of uris) {
      const place = workspace.locate(uri)
      if (!place) continue
      workspace.forget(uri)
      roots.add(place.root)
      touch(uri)
    }
    if (roots.size > 0) filesChanged([...roots])
  }

  connection.onDocumentSymbol(({ textDocument: { uri } }) => {
    const open = workspace.open(uri)
    return open ? symbolsOf(open.document, open.outline) : []
  })
  connection.onFoldingRanges(({ textDocument: { uri } }) => {
    const open = workspace.open(uri)
    return open ? foldingsOf(open.document, open.outline) : []
  })
  connection.onHover(at =>
    withId(at, null, pointed =>
      hoverOf(pointed, jobsOf(pointed.feature), client.textDocument?.hover?.contentFormat?.includes('markdown') ?? false),
    ),
  )
  connection.onDefinition(at => withId(at, [], definitionOf))
  connection.onReferences(at => withId(at, [], pointed => referencesTo(pointed, at.context.includeDeclaration)))
  connection.onCompletion(({ textDocument: { uri }, position }) =>
    withFeature(uri, null, feature => completionsAt(feature, uri, position)),
  )
  connection.onPrepareRename(at => withId(at, null, renameRange))
  connection.onRenameRequest(async at => {
    // Every document is changed: those on disk have to be as they are now.
    workspace.forget(at.textDocument.uri)
    return withId(at, null, pointed => supported(refusing(() => renameAt(pointed, at.newName))))
  })
  connection.onCodeLens(({ textDocument: { uri } }) => withFeature(uri, [], feature => lensesOf(feature, uri, jobsOf(feature))))
  connection.onCodeLensResolve(async lens => {
    const data = lensData(lens.data)
    const command = data && (await withFeature(data.uri, null, feature => commandOf(feature, data, jobsOf(feature))))
    return { ...lens, command: command ?? { title: '', command: '' } }
  })
  connection.onCodeAction(({ textDocument: { uri }, range, context }) =>
    withFeature(uri, [], feature =>
      actionsIn(feature, uri, range, jobsOf(feature))
        .filter(({ kind = '' }) => context.only?.some(wanted => kind === wanted || kind.startsWith(`${wanted}.`)) ?? true)
        .map(action => ({ ...action, ...(action.edit ? { edit: supported(action.edit) } : {}) })),
    ),
  )
  documents.listen(connection)

  function supported(edit: WorkspaceEdit): WorkspaceEdit {
    if (client.workspace?.workspaceEdit?.documentChanges) return edit
    const changes: NonNullable<WorkspaceEdit['changes']> = {}
    for (const change of edit.documentChanges ?? [])
      if ('edits' in change) changes[change.textDocument.uri] = change.edits.filter(one => 'newText' in one)
    return { changes }
  }

  /** At most once a turn: a change of many features is one for the editor. */
  function refreshLenses(): void {
    if (lensesAreStale || !client.workspace?.codeLens?.refreshSupport) return
    lensesAreStale = true
    setImmediate(() => {
      lensesAreStale = false
      connection.sendRequest('workspace/codeLens/refresh').catch(failed)
    })
  }

  return {
    initialize({ capabilities, workspaceFolders, rootUri }) {
      client = capabilities
      folders = workspaceFolders?.map(({ uri }) => uri) ?? (rootUri === null ? [] : [rootUri])
      workspace.setFolders(folders)
    },
    start() {
      if (client.workspace?.didChangeWatchedFiles?.dynamicRegistration)
        connection.client.register(DidChangeWatchedFilesNotification.type, { watchers: [{ globPattern: WATCHED }] }).catch(failed)
      if (!client.workspace?.workspaceFolders) return
      connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
        const gone = new Set(removed.map(({ uri }) => uri))
        folders = [...folders.filter(uri => !gone.has(uri)), ...added.map(({ uri }) => uri)]
        workspace.setFolders(folders)
        for (const uri of documents.keys()) touch(uri)
        foldersChanged()
      })
    },
    jobsChanged(root, feature) {
      diagnosing.touch(root, feature)
      refreshLenses()
    },
    roots: workspace.roots,
    feature: workspace.feature,
    supported,
  }
}

/** What cannot be edited so is told to the person. */
function refusing<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof SpecEditError)) throw error
    const text = error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`
    throw new ResponseError(LSPErrorCodes.RequestFailed, text)
  }
}
