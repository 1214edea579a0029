import type { Diagnostic, PublishDiagnosticsParams } from 'vscode-languageserver/node'
import { diagnosticsOf } from './diagnostics.ts'
import type { TaskJobs } from './jobs.ts'
import type { WorkspaceFeature } from './workspace.ts'

export interface DiagnosingDeps {
  feature(root: string, name: string): Promise<WorkspaceFeature | null>
  /** Whether a document of the feature is open. */
  isOpen(root: string, name: string): boolean
  jobs(root: string, name: string): TaskJobs
  publish(params: PublishDiagnosticsParams): void
  failed(error: unknown): void
}

/** Tells an editor what is wrong with the features of which a document is open, as they change. */
export interface Diagnosing {
  /** Something of the feature changed, or of its jobs. What comes at once is looked at once. */
  touch(root: string, name: string): void
}

export function createDiagnosing(deps: DiagnosingDeps): Diagnosing {
  const touched = new Map<string, readonly [root: string, name: string]>()
  /** By feature, what the editor was told of each of its documents. */
  const told = new Map<string, ReadonlyMap<string, readonly Diagnostic[]>>()
  let turn = 0

  /** After the messages that came together have been taken: each is taken in a turn of its own. */
  function schedule(): void {
    const mine = ++turn
    setImmediate(() => setImmediate(() => mine === turn && flush()))
  }

  function flush(): void {
    const all = [...touched]
    touched.clear()
    for (const [key, [root, name]] of all) void look(key, root, name).catch(deps.failed)
  }

  async function look(key: string, root: string, name: string): Promise<void> {
    const feature = deps.isOpen(root, name) ? await deps.feature(root, name) : null
    const now = feature ? diagnosticsOf(feature, deps.jobs(root, name)) : new Map<string, Diagnostic[]>()
    const before = told.get(key)
    for (const uri of before?.keys() ?? []) if (!now.has(uri)) deps.publish({ uri, diagnostics: [] })
    for (const [uri, diagnostics] of now) {
      if (isSame(before?.get(uri) ?? [], diagnostics)) continue
      const version = feature?.documents.find(one => one.uri === uri)?.version ?? null
      deps.publish({ uri, diagnostics, ...(version === null ? {} : { version }) })
    }
    if (now.size === 0) told.delete(key)
    else told.set(key, now)
  }

  return {
    touch(root, name) {
      touched.set(`${root}\0${name}`, [root, name])
      schedule()
    },
  }
}

function isSame(one: readonly Diagnostic[], other: readonly Diagnostic[]): boolean {
  return one.length === other.length && one.every((diagnostic, index) => isAlike(diagnostic, other[index]))
}

function isAlike(one: Diagnostic, other: Diagnostic | undefined): boolean {
  return (
    other !== undefined &&
    one.message === other.message &&
    one.severity === other.severity &&
    one.code === other.code &&
    one.range.start.line === other.range.start.line &&
    one.range.start.character === other.range.start.character &&
    one.range.end.character === other.range.end.character
  )
}
