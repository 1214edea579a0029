import * as vscode from 'vscode'
import type { Backend } from '../backend/backend.ts'
import type { Place } from '../rows/row.ts'
import { createSpecsTree, type SpecsTreeDeps, type SpecTaskOfRow } from '../rows/specs-tree.ts'
import type { Changes } from '../state/changes.ts'
import { setContext } from '../ui/context-keys.ts'
import { showTree } from './tree-view.ts'

export interface SpecsViewDeps extends SpecsTreeDeps {
  readonly backend: Pick<Backend, 'state' | 'onState' | 'onSpecsChanged'>
  readonly changes: Changes
}
export interface SpecsView extends vscode.Disposable {
  /** The task of a row. */
  task(id: string): SpecTaskOfRow | undefined
  /** Where what a row stands for is written. */
  place(id: string): Place | undefined
}

/** The specs of the editor's folders. They are read when the orchestrator is there, and again while somebody looks. */
export function createSpecsView({ backend, changes, ...deps }: SpecsViewDeps): SpecsView {
  const { specs, t } = deps
  const tree = createSpecsTree(deps)
  const shown = showTree({ id: 'skein.specs', tree, changes })
  const { view } = shown

  function look(): void {
    if (view.visible && backend.state.state === 'ready') void specs.refresh()
  }
  function takeFolders(): void {
    const folders = vscode.workspace.workspaceFolders ?? []
    specs.setFolders(folders.filter(({ uri }) => uri.scheme === 'file').map(({ uri }) => uri.fsPath))
  }
  function tell(): void {
    const folders = specs.folders()
    const more = folders.every(({ isComplete }) => isComplete) ? '' : t('There are more features than are read.')
    view.message = folders.find(({ failure }) => failure !== null)?.failure ?? more
    setContext(
      'skein.specs.any',
      folders.some(({ features }) => features.length > 0),
    )
  }
  takeFolders()
  const listening = [
    specs.onChange(change => {
      const rows = tree.changed(change)
      if (rows === null) {
        changes.mark(null)
        tell()
      } else for (const id of rows) changes.mark(id)
    }),
    backend.onState(({ state }) => {
      if (state !== 'ready') return
      specs.forget(null)
      // Once without anybody looking: the palette offers what there is.
      void specs.refresh()
    }),
    backend.onSpecsChanged(({ repositories }) => {
      specs.forget(repositories)
      look()
    }),
    view.onDidChangeVisibility(look),
    vscode.workspace.onDidChangeWorkspaceFolders(() => {
      takeFolders()
      look()
    }),
  ]
  return {
    task: tree.task,
    place: id => tree.row(id)?.place,
    dispose() {
      for (const listener of listening) listener.dispose()
      shown.dispose()
    },
  }
}
