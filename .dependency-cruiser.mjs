// Who may import whom. Left is the user, right is the machine; data goes right by calls and comes back by events only.
const tests = '\\.test\\.ts$'

/** Inside server/: folder -> the folders whose index.ts it may import, besides lib, shared and itself. */
const server = {
  api: ['access', 'events', 'logs', 'telemetry'],
  jobs: [
    'placement',
    'peers',
    'workspace',
    'executors',
    'agents',
    'gateway',
    'models',
    'events',
    'logs',
    'store',
    'access',
    'telemetry',
  ],
  placement: [],
  specs: ['store', 'workspace'],
  peers: [],
  workspace: [],
  executors: [],
  agents: ['executors'],
  gateway: ['models', 'telemetry'],
  models: [],
  events: ['store'],
  logs: [],
  store: [],
  access: [],
  telemetry: [],
  lib: [],
}
const families = ['executors', 'agents', 'models', 'peers', 'store']

const folderRules = Object.entries(server).map(([folder, allowed]) => ({
  name: `server-${folder}`,
  severity: 'error',
  from: { path: `^server/${folder}/`, pathNot: tests },
  to: {
    path: '^(server|cli|demo|test)/',
    pathNot: [`^server/${folder}/`, '^server/lib/', ...allowed.map(name => `^server/${name}/index\\.ts$`)],
  },
}))
const kindRules = families.flatMap(family => [
  {
    name: `${family}-kinds-do-not-know-each-other`,
    severity: 'error',
    from: { path: `^server/${family}/([^/]+)/`, pathNot: tests },
    to: { path: `^server/${family}/([^/]+)/`, pathNot: [`^server/${family}/$1/`, '^server/executors/runner/index\\.ts$'] },
  },
  {
    name: `only-compose-names-a-kind-of-${family}`,
    severity: 'error',
    from: { pathNot: ['^server/compose\\.ts$', '^server/doctor\\.ts$', `^server/${family}/`, '^test/', tests] },
    to: { path: `^server/${family}/[^/]+/` },
  },
])

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'shared-model-is-the-bottom',
      severity: 'error',
      from: { path: '^shared/model/', pathNot: tests },
      to: { pathNot: ['^shared/model/', 'node_modules/zod/'] },
    },
    {
      name: 'shared-does-no-io',
      severity: 'error',
      from: { path: '^shared/', pathNot: tests },
      to: { pathNot: ['^shared/', 'node_modules/zod/'] },
    },
    {
      name: 'server-does-not-know-its-callers',
      severity: 'error',
      from: { path: '^server/' },
      to: { path: '^(cli|demo|webviews|extension)/' },
    },
    {
      name: 'pages-know-shared-and-nothing-else-of-ours',
      severity: 'error',
      from: { path: '^webviews/', pathNot: tests },
      to: { path: '^(server|cli|demo|extension|test)/' },
    },
    {
      name: 'pages-have-neither-node-nor-vscode',
      severity: 'error',
      from: { path: '^webviews/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pages-use-these-packages',
      severity: 'error',
      from: { path: '^webviews/', pathNot: tests },
      to: { path: 'node_modules/', pathNot: 'node_modules/(lit|@lit|lit-html|lit-element|@vscode-elements|zod)/' },
    },
    {
      name: 'schemas-stay-out-of-what-every-page-loads',
      severity: 'error',
      from: { path: '^webviews/', pathNot: [tests, '^webviews/kit/(browser-host|stream|no-compiling)\\.ts$'] },
      to: { path: ['^shared/contract/', 'node_modules/zod/'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pages-do-not-know-each-other',
      severity: 'error',
      from: { path: '^webviews/(jobs|job|fleet|run)/', pathNot: tests },
      to: { path: '^webviews/(jobs|job|fleet|run)/', pathNot: '^webviews/$1/' },
    },
    {
      name: 'cli-uses-the-server-by-its-faces',
      severity: 'error',
      from: { path: '^cli/', pathNot: tests },
      to: {
        path: '^server/',
        pathNot: ['^server/(main|config|doctor|compose)\\.ts$', '^server/(workspace|specs)/index\\.ts$', '^server/lib/'],
      },
    },
    {
      name: 'only-the-language-server-reads-specs-by-itself',
      severity: 'error',
      from: { path: '^cli/', pathNot: ['^cli/lsp/', tests] },
      to: { path: '^server/specs/' },
    },
    {
      name: 'the-way-to-the-orchestrator-knows-no-language',
      severity: 'error',
      from: { path: '^cli/lsp/orchestrator/' },
      to: { path: ['^cli/lsp/language/', '^server/specs/'] },
    },
    {
      name: 'the-language-knows-no-orchestrator',
      severity: 'error',
      from: { path: '^cli/lsp/language/' },
      to: { path: ['^cli/(?!lsp/language/)'] },
    },
    {
      name: 'the-language-server-is-entered-by-its-command',
      severity: 'error',
      from: { pathNot: ['^cli/lsp/', '^cli/commands/lsp\\.ts$'] },
      to: { path: '^cli/lsp/' },
    },
    {
      name: 'only-the-language-server-speaks-its-protocol',
      severity: 'error',
      from: { path: '^(shared|server|cli|demo)/', pathNot: ['^cli/lsp/', '^cli/commands/lsp\\.ts$', tests] },
      to: { path: 'node_modules/vscode-' },
    },
    {
      name: 'product-does-not-import-tests',
      severity: 'error',
      from: { path: '^(shared|server|cli|demo|extension|webviews)/', pathNot: tests },
      to: { path: ['^test/', tests] },
    },
    {
      name: 'reading-specs-is-pure',
      severity: 'error',
      from: { path: '^server/specs/(language|analysis|edits)/', pathNot: tests },
      to: { pathNot: ['^server/specs/(language|analysis|edits)/', '^shared/', '^crypto$'] },
    },
    {
      name: 'the-extension-knows-the-contract-alone',
      severity: 'error',
      from: { path: '^extension/', pathNot: tests },
      to: { path: '^(server|cli|demo|webviews|test)/' },
    },
    {
      name: 'only-the-extension-knows-the-editor',
      severity: 'error',
      // Its tests within the editor are part of its bundle.
      from: { pathNot: '^(extension|test/editor/host)/' },
      to: { path: '(^vscode$|@types/vscode|node_modules/vscode-languageclient)' },
    },
    {
      name: 'state-and-rows-are-tested-without-an-editor',
      severity: 'error',
      from: { path: '^extension/(state|manifest|rows)/' },
      to: { path: '(^vscode$|@types/vscode|node_modules/vscode-languageclient)' },
    },
    ...folderRules,
    ...kindRules,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|test/lab|test/fixtures)/' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
}
