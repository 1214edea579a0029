const lost = 'skein.server == lost'
const starting = 'skein.server != ready && skein.server != lost'
const ready = 'skein.server == ready'
const trusted = 'isWorkspaceTrusted'
const command = (id: string) => `command:${id}`

/** The container in the activity bar and its views. */
export const VIEWS = {
  viewsContainers: { activitybar: [{ id: 'skein', title: 'Skein', icon: 'media/skein.svg' }] },
  views: {
    skein: [
      { id: 'skein.jobs', name: 'Jobs', icon: 'media/skein.svg', contextualTitle: 'Skein' },
      { id: 'skein.specs', name: 'Specs', icon: 'media/skein.svg', contextualTitle: 'Skein' },
      { id: 'skein.peers', name: 'Peers', icon: 'media/skein.svg', contextualTitle: 'Skein' },
    ],
  },
  viewsWelcome: [
    {
      view: 'skein.jobs',
      when: `!${trusted}`,
      contents:
        'This workspace is not trusted: jobs can be looked at, and nothing is run or applied here.\n[Manage Workspace Trust](command:workbench.trust.manage)',
    },
    { view: 'skein.jobs', when: starting, contents: 'Looking for the orchestrator…' },
    {
      view: 'skein.jobs',
      when: lost,
      contents: `The orchestrator cannot be reached. The status bar says why.\n[Reconnect](${command('skein.server.reconnect')})\n[Show Server Log](${command('skein.server.showLog')})\n[Doctor](${command('skein.server.doctor')})`,
    },
    {
      view: 'skein.jobs',
      when: `${ready} && skein.jobs.filtered`,
      contents: `None of the jobs that were read is one of those that are asked for.\n[Show All Jobs](${command('skein.jobs.showAll')})\n[Read Older Jobs](${command('skein.jobs.readOlder')})`,
    },
    {
      view: 'skein.jobs',
      when: `${ready} && ${trusted} && !skein.jobs.filtered`,
      contents: `No jobs yet. Say what is to be done: an agent works on a copy of your repository, in a sandbox, and you review what comes back.\n[New Job](${command('skein.jobs.new')})`,
    },
    {
      view: 'skein.specs',
      when: `${ready} && workspaceFolderCount > 0`,
      contents:
        'No specs in this workspace. Spec Kit keeps them in a folder “specs”. Where there are some, each of their tasks can be run on the fleet.\n[About Spec Kit](https://github.com/github/spec-kit)',
    },
    {
      view: 'skein.specs',
      when: 'workspaceFolderCount == 0',
      contents: 'Specs are shown of the folders that are open.\n[Open Folder](command:vscode.openFolder)',
    },
    { view: 'skein.specs', when: `${starting} && workspaceFolderCount > 0`, contents: 'Looking for the orchestrator…' },
    {
      view: 'skein.specs',
      when: `${lost} && workspaceFolderCount > 0`,
      contents: `The orchestrator cannot be reached, and reads the specs.\n[Reconnect](${command('skein.server.reconnect')})`,
    },
    {
      view: 'skein.peers',
      when: ready,
      contents: `Only this machine works so far. Start Skein on another one, and pair the two.\n[Add Peer](${command('skein.peers.add')})\n[Show Pairing Code](${command('skein.peers.pair')})`,
    },
  ],
}
