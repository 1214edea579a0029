interface SettingRow {
  readonly type: 'string' | 'boolean'
  readonly default: string | boolean
  readonly scope: 'machine' | 'window' | 'resource' | 'machine-overridable'
  readonly description: string
  readonly enum?: Readonly<Record<string, string>>
  /** Not to be taken from a workspace that is not trusted. */
  readonly restricted?: true
}

/** Every setting. Where the orchestrator is, and what is run, belongs to the machine: a repository cannot change it. */
export const SETTINGS = {
  'skein.server.address': {
    type: 'string',
    default: '',
    scope: 'machine',
    description:
      'Address of a headless node, such as `http://desktop:8080`. Empty: the orchestrator of this machine is used, and started where none runs. Give its token by *Skein: Set Token of the Server*.',
  },
  'skein.server.start': {
    type: 'boolean',
    default: true,
    scope: 'machine',
    description: 'Start the orchestrator of this machine where none runs. It goes on when the last window is closed.',
  },
  'skein.server.dataDir': {
    type: 'string',
    default: '',
    scope: 'machine',
    description: 'Data directory of the orchestrator. Empty: where `skein serve` has it.',
  },
  'skein.server.config': {
    type: 'string',
    default: '',
    scope: 'machine',
    description: 'Path of a `skein.yaml` for an orchestrator that is started here. Empty: where `skein serve` looks for it.',
  },
  'skein.server.node': {
    type: 'string',
    default: '',
    scope: 'machine',
    description:
      'Path of a Node.js program (22.19 or newer) to run the orchestrator with. Empty: the one this editor brings. Needed only where that one is older.',
  },
  'skein.jobs.agent': {
    type: 'string',
    default: 'auto',
    scope: 'machine-overridable',
    description: 'Agent of new jobs, as `skein agents` lists them. `auto`: the first that can be used.',
  },
  'skein.jobs.model': {
    type: 'string',
    default: '',
    scope: 'machine-overridable',
    description: 'Model of new jobs. Empty: the first that is offered.',
  },
  'skein.models.offer': {
    type: 'boolean',
    default: false,
    scope: 'machine',
    description:
      'Offer the language models of this editor (such as those of Copilot) to the orchestrator of this machine, while a window is open: your own jobs may use them, under your account there. The editor asks before a model is used the first time.',
  },
  'skein.jobs.include': {
    type: 'string',
    default: 'changes',
    scope: 'resource',
    description: 'What a job starts from.',
    enum: { changes: 'The last commit and your uncommitted changes', head: 'The last commit alone' },
  },
  'skein.jobs.check': {
    type: 'string',
    default: '',
    scope: 'resource',
    restricted: true,
    description:
      'Command that must succeed on the result of each new job, such as `npm test`. It runs in the sandbox of the job.',
  },
  'skein.jobs.permissions': {
    type: 'string',
    default: 'ask',
    scope: 'machine',
    description: 'What answers an agent that asks for permission to do something in its sandbox.',
    enum: { allow: 'Always yes', ask: 'You, by a notification', deny: 'Always no' },
  },
  'skein.apply.preview': {
    type: 'string',
    default: 'ask',
    scope: 'window',
    description:
      'Whether the changes of a job are shown in the refactoring preview, where each can be left out, before they are applied.',
    enum: { ask: 'Ask each time', always: 'Always', never: 'Never: they are applied at once, and *Undo* takes them back' },
  },
  'skein.notifications': {
    type: 'string',
    default: 'all',
    scope: 'window',
    description: 'Which notifications are shown. Permission requests stay in the *Jobs* view in any case.',
    enum: {
      all: 'When a job you started here ends, and when an agent asks for permission',
      questions: 'Only when an agent asks for permission',
      none: 'None',
    },
  },
} as const satisfies Readonly<Record<string, SettingRow>>

export type SettingName = keyof typeof SETTINGS
/** The settings as they are read: a choice where there is one, else the type. */
export type SettingValue<Name extends SettingName> = (typeof SETTINGS)[Name] extends { enum: infer E }
  ? keyof E
  : (typeof SETTINGS)[Name]['type'] extends 'boolean'
    ? boolean
    : string

/** As `contributes.configuration` has it. */
export function configuration(): object {
  const properties = Object.entries(SETTINGS).map(([name, row]: [string, SettingRow], order) => [
    name,
    {
      type: row.type,
      default: row.default,
      scope: row.scope,
      order,
      markdownDescription: row.description,
      ...(row.enum ? { enum: Object.keys(row.enum), markdownEnumDescriptions: Object.values(row.enum) } : {}),
    },
  ])
  return { title: 'Skein', properties: Object.fromEntries(properties) }
}

export const restrictedSettings = (): string[] =>
  Object.entries(SETTINGS)
    .filter(([, row]: [string, SettingRow]) => row.restricted || row.scope === 'machine-overridable')
    .map(([name]) => name)
