import type * as vscode from 'vscode'
import { createPeersTree, type PeersTreeDeps } from '../rows/peers-tree.ts'
import type { Changes } from '../state/changes.ts'
import { setContext } from '../ui/context-keys.ts'
import { type ShownTree, showTree } from './tree-view.ts'

export interface PeersView extends vscode.Disposable {
  readonly view: ShownTree['view']
}

export function createPeersView({ changes, ...deps }: PeersTreeDeps & { changes: Changes }): PeersView {
  const shown = showTree({ id: 'skein.peers', tree: createPeersTree(deps), changes })
  const listening = changes.listen(() => {
    setContext('skein.peers.any', deps.fleet.peers().length > 0)
    setContext('skein.node.draining', deps.fleet.self?.drain?.draining ?? false)
  })
  return {
    view: shown.view,
    dispose() {
      listening.dispose()
      shown.dispose()
    },
  }
}
