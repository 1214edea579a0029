import * as vscode from 'vscode'
import type { Row, Tree } from '../rows/row.ts'
import type { Listen } from '../state/signal.ts'
import { titleOf } from '../ui/titles.ts'

export interface TreeViewOptions {
  readonly id: string
  readonly tree: Tree
  /** Ids of rows that are to be drawn again; null: all. */
  readonly changes: { readonly listen: Listen<Iterable<string> | null> }
}
export interface ShownTree extends vscode.Disposable {
  readonly view: vscode.TreeView<string>
  /** Asks for all rows again. */
  refresh(): void
}

/** Shows a tree. A row is known to the editor by its id alone, so that a change redraws that row and no other. */
export function showTree({ id, tree, changes }: TreeViewOptions): ShownTree {
  const changed = new vscode.EventEmitter<string | string[] | undefined>()
  const provider: vscode.TreeDataProvider<string> = {
    onDidChangeTreeData: changed.event as vscode.Event<string | undefined>,
    getTreeItem: row => itemOf(tree.row(row), row),
    async getChildren(row) {
      return (await tree.children(row ?? null)).map(({ id }) => id)
    },
    getParent: row => tree.parent(row) ?? undefined,
    resolveTreeItem(item, row) {
      const text = tree.tooltip(row)
      if (text !== undefined) item.tooltip = new vscode.MarkdownString(text)
      return item
    },
  }
  const view = vscode.window.createTreeView(id, { treeDataProvider: provider, showCollapseAll: true })
  const listening = changes.listen(ids => {
    if (!ids) return changed.fire(undefined)
    for (const row of ids) changed.fire(row)
  })
  return {
    view,
    refresh: () => changed.fire(undefined),
    dispose() {
      listening.dispose()
      view.dispose()
      changed.dispose()
    },
  }
}

const OPEN = 'skein.jobs.open'
const REVEAL = 'skein.specs.reveal'
const COLLAPSE = {
  collapsed: vscode.TreeItemCollapsibleState.Collapsed,
  expanded: vscode.TreeItemCollapsibleState.Expanded,
} as const

function itemOf(row: Row | undefined, id: string): vscode.TreeItem {
  // Between a change and its redraw a row may be gone; the next redraw takes it away.
  if (!row) return { id, label: '' }
  return {
    id,
    label: row.label,
    description: row.description ?? '',
    contextValue: row.context,
    collapsibleState: row.children ? COLLAPSE[row.children] : vscode.TreeItemCollapsibleState.None,
    ...(row.job ? { command: { title: titleOf(OPEN), command: OPEN, arguments: [{ jobId: row.job }] } } : {}),
    ...(row.place && !row.children ? { command: { title: titleOf(REVEAL), command: REVEAL, arguments: [row.id] } } : {}),
    ...(row.command ? { command: { title: titleOf(row.command), command: row.command } } : {}),
    ...(row.icon ? { iconPath: new vscode.ThemeIcon(row.icon, row.color ? new vscode.ThemeColor(row.color) : undefined) } : {}),
  }
}
