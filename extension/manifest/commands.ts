/** A command as the palette and the menus show it. */
interface CommandRow {
  readonly title: string
  /** Name of a codicon, for buttons. */
  readonly icon?: string
  /**
   * When the palette offers it. `ready`: the orchestrator answers; `active`, `results`: and there is such a job; `peers`: and another
   * node is known; `specs`: and a work tree with Spec Kit documents is open; `never`: it needs an argument that only a view or a link has.
   */
  readonly palette?: 'always' | 'ready' | 'active' | 'results' | 'peers' | 'specs' | 'never'
}

/** Every command of the extension. `extension/commands/` has a function for each, or does not compile. */
export const COMMANDS = {
  'skein.jobs.new': { title: 'New Job…', icon: 'add', palette: 'ready' },
  'skein.jobs.open': { title: 'Open Job', icon: 'go-to-file', palette: 'ready' },
  'skein.jobs.openLog': { title: 'Open Log', icon: 'output', palette: 'ready' },
  'skein.jobs.cancel': { title: 'Cancel Job', icon: 'debug-stop', palette: 'active' },
  'skein.jobs.retry': { title: 'Retry Job', icon: 'refresh', palette: 'ready' },
  'skein.jobs.answer': { title: 'Answer Permission Request…', icon: 'question', palette: 'active' },
  'skein.jobs.review': { title: 'Review Changes', icon: 'diff-multiple', palette: 'results' },
  'skein.jobs.apply': { title: 'Apply Changes', icon: 'check', palette: 'results' },
  'skein.jobs.checkout': { title: 'Check Out as Branch…', icon: 'git-branch', palette: 'results' },
  'skein.jobs.discard': { title: 'Discard Job', icon: 'trash', palette: 'ready' },
  'skein.jobs.why': { title: 'Explain Placement', icon: 'info', palette: 'ready' },
  'skein.jobs.copyId': { title: 'Copy Job ID', palette: 'never' },
  'skein.jobs.search': { title: 'Search Jobs…', icon: 'search', palette: 'ready' },
  'skein.jobs.clearSearch': { title: 'Clear Search of Jobs', icon: 'search-stop', palette: 'ready' },
  'skein.jobs.groupByState': { title: 'Group Jobs by State', icon: 'list-tree', palette: 'ready' },
  'skein.jobs.groupBySpec': { title: 'Group Jobs by Spec', icon: 'book', palette: 'ready' },
  'skein.jobs.refresh': { title: 'Refresh Jobs', icon: 'refresh', palette: 'ready' },
  'skein.peers.add': { title: 'Add Peer…', icon: 'add', palette: 'ready' },
  'skein.peers.pair': { title: 'Show Pairing Code', icon: 'key', palette: 'ready' },
  'skein.peers.trust': { title: 'Trust Peer', icon: 'verified', palette: 'peers' },
  'skein.peers.remove': { title: 'Remove Peer', icon: 'trash', palette: 'peers' },
  'skein.peers.copyAddress': { title: 'Copy Address', palette: 'never' },
  'skein.node.drain': { title: 'Drain This Node', icon: 'debug-pause', palette: 'ready' },
  'skein.node.undrain': { title: 'Take Work Again', icon: 'debug-continue', palette: 'ready' },
  'skein.specs.runTask': { title: 'Run on the Fleet', icon: 'run', palette: 'specs' },
  'skein.specs.openTask': { title: 'Open in Document', icon: 'go-to-file', palette: 'never' },
  'skein.specs.tick': { title: 'Tick Task', icon: 'pass', palette: 'specs' },
  'skein.specs.refresh': { title: 'Refresh Specs', icon: 'refresh', palette: 'specs' },
  'skein.server.showLog': { title: 'Show Server Log', palette: 'always' },
  'skein.server.doctor': { title: 'Doctor', palette: 'always' },
  'skein.server.reconnect': { title: 'Reconnect to the Server', icon: 'debug-restart', palette: 'always' },
  'skein.server.setToken': { title: 'Set Token of the Server…', palette: 'always' },
  'skein.server.openWeb': { title: 'Open in Browser', icon: 'globe', palette: 'ready' },
  'skein.server.menu': { title: 'Status', palette: 'always' },
} as const satisfies Readonly<Record<string, CommandRow>>

export type CommandId = keyof typeof COMMANDS

/** When the palette shows a command, as a `when` clause. */
export const PALETTE_WHEN: Readonly<Record<NonNullable<CommandRow['palette']>, string>> = {
  always: 'true',
  ready: 'skein.server == ready',
  active: 'skein.server == ready && skein.jobs.active',
  results: 'skein.server == ready && skein.jobs.results',
  peers: 'skein.server == ready && skein.peers.any',
  specs: 'skein.specs.any',
  never: 'false',
}
