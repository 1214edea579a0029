/** A command as the palette and the menus show it. */
interface CommandRow {
  readonly title: string
  /** Name of a codicon, for buttons. */
  readonly icon?: string
  /**
   * When the palette offers it. `ready`: the orchestrator answers; `active`, `results`: and there is such a job; `byState`, `bySpec`:
   * and jobs are grouped so; `filtered`: and not all of them are shown; `peers`: and another node is known; `specs`: and a folder has
   * some; `never`: it needs an argument that only a view has.
   */
  readonly palette: keyof typeof PALETTE_WHEN
  /** Runs something or writes files: not in a workspace that is not trusted. */
  readonly needsTrust?: true
}

/** When the palette shows a command, as a `when` clause. */
export const PALETTE_WHEN = {
  always: 'true',
  ready: 'skein.server == ready',
  active: 'skein.server == ready && skein.jobs.active',
  results: 'skein.server == ready && skein.jobs.results',
  byState: 'skein.server == ready && skein.jobs.grouping != spec',
  bySpec: 'skein.server == ready && skein.jobs.grouping == spec',
  filtered: 'skein.server == ready && skein.jobs.filtered',
  peers: 'skein.server == ready && skein.peers.any',
  specs: 'skein.server == ready && skein.specs.any',
  never: 'false',
} as const

/** Every command of the extension. `extension/commands/` has a function for each, or does not compile. */
export const COMMANDS = {
  'skein.jobs.new': { title: 'New Job…', icon: 'add', palette: 'ready', needsTrust: true },
  'skein.jobs.open': { title: 'Open Job', icon: 'go-to-file', palette: 'ready' },
  'skein.jobs.openLog': { title: 'Open Log', icon: 'output', palette: 'ready' },
  'skein.jobs.cancel': { title: 'Cancel Job', icon: 'debug-stop', palette: 'active', needsTrust: true },
  'skein.jobs.retry': { title: 'Retry Job', icon: 'debug-rerun', palette: 'ready', needsTrust: true },
  'skein.jobs.answer': { title: 'Answer Permission Request…', icon: 'question', palette: 'active', needsTrust: true },
  'skein.jobs.review': { title: 'Review Changes', icon: 'diff-multiple', palette: 'results' },
  'skein.jobs.apply': { title: 'Apply Changes', icon: 'check', palette: 'results', needsTrust: true },
  'skein.jobs.checkout': { title: 'Check Out as Branch…', icon: 'git-branch', palette: 'results', needsTrust: true },
  'skein.jobs.discard': { title: 'Discard Result', icon: 'trash', palette: 'results', needsTrust: true },
  'skein.jobs.copyId': { title: 'Copy Job ID', palette: 'never' },
  'skein.jobs.search': { title: 'Search Jobs…', icon: 'search', palette: 'ready' },
  'skein.jobs.onlyHere': { title: 'Show Jobs of This Workspace Only', icon: 'root-folder', palette: 'ready' },
  'skein.jobs.showAll': { title: 'Show All Jobs', icon: 'filter-filled', palette: 'filtered' },
  'skein.jobs.filterState': { title: 'Filter Jobs by State…', icon: 'filter', palette: 'ready' },
  'skein.jobs.groupBySpec': { title: 'Group Jobs by Spec', icon: 'notebook', palette: 'byState' },
  'skein.jobs.groupByState': { title: 'Group Jobs by State', icon: 'list-tree', palette: 'bySpec' },
  'skein.jobs.readOlder': { title: 'Read Older Jobs', icon: 'history', palette: 'ready' },
  'skein.jobs.refresh': { title: 'Refresh Jobs', icon: 'refresh', palette: 'ready' },
  'skein.jobs.openPage': { title: 'Open Jobs as a Page', icon: 'go-to-file', palette: 'ready' },
  'skein.peers.openPage': { title: 'Open Fleet as a Page', icon: 'go-to-file', palette: 'ready' },
  'skein.peers.add': { title: 'Add Peer…', icon: 'add', palette: 'ready', needsTrust: true },
  'skein.peers.pair': { title: 'Show Pairing Code', icon: 'key', palette: 'ready', needsTrust: true },
  'skein.peers.trust': { title: 'Trust Peer', icon: 'verified', palette: 'peers', needsTrust: true },
  'skein.peers.remove': { title: 'Remove Peer', icon: 'trash', palette: 'peers', needsTrust: true },
  'skein.peers.copyAddress': { title: 'Copy Address', palette: 'never' },
  'skein.specs.runTask': { title: 'Run on the Fleet', icon: 'run', palette: 'specs', needsTrust: true },
  'skein.specs.tick': { title: 'Tick from Evidence…', icon: 'check', palette: 'specs', needsTrust: true },
  'skein.specs.reveal': { title: 'Go to Source', icon: 'go-to-file', palette: 'never' },
  'skein.specs.openJob': { title: 'Open Job of Task', icon: 'output', palette: 'never' },
  'skein.specs.reviewJob': { title: 'Review Changes of Task', icon: 'diff-multiple', palette: 'never' },
  'skein.specs.applyJob': { title: 'Apply Changes of Task', icon: 'cloud-download', palette: 'never', needsTrust: true },
  'skein.specs.refresh': { title: 'Refresh Specs', icon: 'refresh', palette: 'specs' },
  'skein.node.drain': { title: 'Drain This Node', icon: 'debug-pause', palette: 'ready', needsTrust: true },
  'skein.node.undrain': { title: 'Take Work Again', icon: 'debug-continue', palette: 'ready', needsTrust: true },
  'skein.server.showLog': { title: 'Show Server Log', palette: 'always' },
  'skein.server.showChannel': { title: 'Show Log of the Extension', palette: 'always' },
  'skein.server.doctor': { title: 'Doctor', palette: 'always' },
  'skein.server.reconnect': { title: 'Reconnect to the Server', icon: 'debug-restart', palette: 'always' },
  'skein.server.setToken': { title: 'Set Token of the Server…', palette: 'always' },
  'skein.server.openWeb': { title: 'Open in Browser', icon: 'globe', palette: 'ready' },
  'skein.server.settings': { title: 'Open Settings', palette: 'always' },
  'skein.server.menu': { title: 'Status', palette: 'always' },
  'skein.server.walkthrough': { title: 'Get Started', palette: 'always' },
} as const satisfies Readonly<Record<string, CommandRow>>

export type CommandId = keyof typeof COMMANDS
