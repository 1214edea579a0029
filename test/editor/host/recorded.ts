/// <reference types="vscode" />
import * as vscode from 'vscode'

/**
 * The editor's API as the extension under test is given it: the editor's own, but what the extension shows as a tree is written down, for
 * no extension can ask the editor for the tree of another.
 */
export * from 'vscode'
export const trees = new Map<string, vscode.TreeDataProvider<string>>()

export const window: typeof vscode.window = new Proxy({} as typeof vscode.window, {
  get(_, name: keyof typeof vscode.window) {
    if (name !== 'createTreeView') return vscode.window[name]
    return (id: string, options: vscode.TreeViewOptions<string>) => {
      trees.set(id, options.treeDataProvider)
      return vscode.window.createTreeView(id, options)
    }
  },
})
