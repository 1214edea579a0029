// Builds everything that ships into dist/: the command line (with the server as lazy chunks), the small programs that run inside a
// sandbox (single files, because a sandbox sees nothing of this package but the file it runs), and the extension of the editor.
import { copyFileSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename } from 'node:path'
import { build } from 'esbuild'

/**
 * Node's own modules are taken as they are instead of imported. An import reads every export there is, and some are made on the spot:
 * for `node:http` all of undici is loaded, for `node:fs` its streams. Of these modules an export is read where it is used.
 */
const asTheyAre = {
  name: 'as-they-are',
  setup({ onResolve, onLoad }) {
    // One for each file that uses it: shared between files it would be a chunk of its own.
    onResolve({ filter: /^(node:)?[a-z_/]+$/ }, ({ path, kind, importer }) => {
      if (!isBuiltin(path) || kind === 'dynamic-import') return null
      const namespace = kind === 'require-call' ? 'node-required' : 'node-imported'
      return { path: path.replace(/^node:/, ''), suffix: `?${importer}`, namespace, sideEffects: false }
    })
    const taken = path => `process.getBuiltinModule('node:${path}')`
    onLoad({ filter: /^/, namespace: 'node-required' }, ({ path }) => ({ contents: `module.exports = ${taken(path)}` }))
    onLoad({ filter: /^/, namespace: 'node-imported' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(`node:${path}`)).filter(
        name => /^[A-Za-z]\w*$/.test(name) && name !== 'default',
      )
      const exported = names.map(name => `export const ${name} = /* @__PURE__ */ __read('${name}')`)
      const own = `const __module = ${taken(path)}, __read = name => __module[name]`
      return { contents: [own, 'export default __module', ...exported].join('\n') }
    })
  },
}

const shared = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: false,
  metafile: true,
  legalComments: 'linked',
  outExtension: { '.js': '.mjs' },
  // Some dependencies are CommonJS and try to load what may not be there.
  banner: {
    js: "const require = name => process.getBuiltinModule('node:module').createRequire(import.meta.url)(name);",
  },
  plugins: [asTheyAre],
  logLevel: 'warning',
}

/** The library that speaks with the language server is large: it is a file of its own, read once `activate` has returned. */
const languageClientApart = {
  name: 'language-client-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/language-client\.ts$/ }, () => ({ path: './languageclient.cjs', external: true }))
  },
}
/**
 * The editor's API, read once and by the names that are used. Each `import * as vscode` of a bundle would otherwise copy all of its
 * hundreds of names into an object of its own: a good part of what it takes to load the extension.
 */
const editorApi = {
  name: 'editor-api',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^vscode$/ }, ({ namespace }) =>
      namespace === 'editor-api' ? { path: 'vscode', external: true } : { path: 'vscode', namespace: 'editor-api' },
    )
    onLoad({ filter: /^/, namespace: 'editor-api' }, () => {
      const sources = globSync('extension/**/*.ts').map(path => readFileSync(path, 'utf8'))
      const names = new Set(sources.flatMap(source => [...source.matchAll(/\bvscode\.(\w+)/g)].map(([, name]) => name)))
      const exported = [...names].sort().map(name => `export const ${name} = api.${name}`)
      return { contents: `const api = require('vscode')\n${exported.join('\n')}` }
    })
  },
}
const extension = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'cjs',
  minify: true,
  legalComments: 'linked',
  external: ['vscode'],
  // A name of the editor's API that was not found above.
  logOverride: { 'import-is-undefined': 'error' },
  outExtension: { '.js': '.cjs' },
  // The editor gives `vscode` to what is loaded by require alone.
  supported: { 'dynamic-import': false },
  outdir: 'dist',
  logLevel: 'warning',
}

rmSync('dist', { recursive: true, force: true })
const [program, inside, runner] = await Promise.all([
  build({
    ...shared,
    entryPoints: { skein: 'cli/main.ts' },
    outdir: 'dist',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
  }),
  build({
    ...shared,
    entryPoints: { relay: 'server/executors/process/inside/relay.ts', 'builtin-agent': 'server/agents/builtin/inside/main.ts' },
    outdir: 'dist/inside',
  }),
  // Images bring a Node.js of their own, or need an older one.
  build({
    ...shared,
    target: 'node20.12',
    plugins: [],
    entryPoints: { runner: 'server/executors/runner/inside/main.ts' },
    outdir: 'dist/inside',
  }),
  build({ ...extension, entryPoints: { extension: 'extension/extension.ts' }, plugins: [languageClientApart, editorApi] }),
  build({ ...extension, entryPoints: { languageclient: 'extension/backend/language-client.ts' } }),
])

// The pages. Everything but the icon is named by its content, so that a browser may keep it for ever; the manifest says what to begin with.
const { metafile } = await build({
  entryPoints: { main: 'webviews/main.ts', style: 'webviews/main.css' },
  outdir: 'dist/webviews',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['es2022', 'chrome123', 'firefox121', 'safari17.5'],
  minify: true,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  legalComments: 'linked',
  metafile: true,
  logLevel: 'warning',
})
const entry = source => basename(Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === source)[0])
const manifest = { script: entry('webviews/main.ts'), style: entry('webviews/main.css') }
writeFileSync('dist/webviews/manifest.json', `${JSON.stringify(manifest)}\n`)
copyFileSync('webviews/favicon.svg', 'dist/webviews/favicon.svg')

// The packages that have code in each image, for scripts/sbom.mjs.
function packagesOf(builds) {
  const sources = builds
    .flatMap(built => Object.values(built.metafile.outputs))
    .flatMap(({ inputs }) => Object.keys(inputs).filter(path => !path.startsWith('node-') && inputs[path].bytesInOutput > 0))
  const folders = new Set(sources.map(path => path.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean))
  const packages = [...folders].map(folder => JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')))
  return packages.map(({ name, version }) => `${name}@${version}`).sort()
}
const images = { orchestrator: packagesOf([program, inside, runner, { metafile }]), runner: packagesOf([runner]) }
writeFileSync('dist/packages.json', `${JSON.stringify(images, null, 2)}\n`)
