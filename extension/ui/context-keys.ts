import * as vscode from 'vscode'

/** What `when` clauses of the manifest read. */
export interface ContextKeys {
  'skein.server': 'starting' | 'ready' | 'lost'
  'skein.jobs.active': boolean
  'skein.jobs.results': boolean
  'skein.jobs.filtered': boolean
  'skein.jobs.grouping': 'state' | 'spec'
  'skein.peers.any': boolean
  'skein.specs.any': boolean
  'skein.node.draining': boolean
}

const known = new Map<string, unknown>()

/** The one writer of context keys; writes what changed. */
export function setContext<Key extends keyof ContextKeys>(key: Key, value: ContextKeys[Key]): void {
  if (known.get(key) === value) return
  known.set(key, value)
  void vscode.commands.executeCommand('setContext', key, value)
}
