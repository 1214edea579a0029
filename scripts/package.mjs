// Makes dist/vsix/ (the extension as a folder, which an editor under development loads as it is) and dist/skein-VERSION.vsix from what
// esbuild.mjs built. What goes in is listed here; nothing else does. Why not by vsce: docs/decisions/0143-the-extension-is-packed-here.md
import { globSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { manifest } from '../extension/manifest/index.ts'
import { bundleOf, spokenTexts } from '../extension/manifest/spoken.ts'
import { takeTexts } from '../extension/manifest/texts.ts'

const MOST_BYTES = 2 * 1024 * 1024
/** Of what the editor reads to activate the extension. */
const MOST_BUNDLE_BYTES = 200 * 1024
const FOLDER = 'dist/vsix'
/** From here to the extension. */
const CONTENTS = {
  'extension/media': 'media',
  'extension/README.md': 'README.md',
  'extension/CHANGELOG.md': 'CHANGELOG.md',
  LICENSE: 'LICENSE.txt',
  'dist/extension.cjs': 'dist/extension.cjs',
  'dist/languageclient.cjs': 'dist/languageclient.cjs',
  'dist/languageclient.cjs.LEGAL.txt': 'dist/languageclient.cjs.LEGAL.txt',
  'bin/skein.js': 'bin/skein.mjs',
  'dist/skein.mjs': 'dist/skein.mjs',
  'dist/chunks': 'dist/chunks',
  'dist/inside': 'dist/inside',
  'dist/webviews': 'dist/webviews',
}
/** Not there where no library in it has a licence to show. */
const OPTIONAL = new Set(['dist/languageclient.cjs.LEGAL.txt'])

const facts = JSON.parse(await readFile('package.json', 'utf8'))
const { manifest: described, texts } = takeTexts(manifest(facts))

await rm(FOLDER, { recursive: true, force: true })
await mkdir(FOLDER, { recursive: true })
for (const [from, to] of Object.entries(CONTENTS))
  if (!OPTIONAL.has(from) || (await stat(from).catch(() => null))) await cp(from, join(FOLDER, to), { recursive: true })
await writeFile(join(FOLDER, 'package.json'), json(described))
await writeFile(join(FOLDER, 'package.nls.json'), json(texts))
await mkdir(join(FOLDER, 'l10n'), { recursive: true })
await writeFile(join(FOLDER, 'l10n/bundle.l10n.json'), json(await spokenBundle()))

const files = {}
for (const entry of (await readdir(FOLDER, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile())) {
  const path = join(entry.parentPath, entry.name)
  files[`extension/${path.slice(FOLDER.length + 1).replaceAll('\\', '/')}`] = new Uint8Array(await readFile(path))
}
files['extension.vsixmanifest'] = Buffer.from(vsixManifest(facts, texts))
files['[Content_Types].xml'] = Buffer.from(contentTypes(Object.keys(files)))

// One time for all entries: the same sources make the same bytes.
const vsix = zipSync(files, { level: 9, mtime: new Date('2026-01-01T00:00:00') })
const target = `dist/${facts.name}-${facts.version}.vsix`
await writeFile(target, vsix)
console.log(`${target}: ${Object.keys(files).length} files, ${(vsix.byteLength / 1024).toFixed(0)} KiB`)
const native = Object.keys(files).filter(path => /\.(node|dll|so|dylib|exe)$|node_modules\//.test(path))
const bundle = files['extension/dist/extension.cjs'].byteLength
if (native.length > 0 || vsix.byteLength > MOST_BYTES || bundle > MOST_BUNDLE_BYTES) {
  console.error(
    `The VSIX must hold no native code and no node_modules (${native.join(' ') || 'none'}), and at most ${MOST_BYTES} bytes (${vsix.byteLength}), ` +
      `of which at most ${MOST_BUNDLE_BYTES} are read to activate (${bundle}).`,
  )
  process.exit(1)
}

/** What the extension says when it runs, for translators. */
async function spokenBundle() {
  const sources = globSync('extension/**/*.ts').filter(path => !path.endsWith('.test.ts'))
  const spoken = await Promise.all(sources.map(async path => spokenTexts(await readFile(path, 'utf8'), path).texts))
  return bundleOf(spoken.flat())
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** What a gallery and `--install-extension` read. */
function vsixManifest({ name, version, description }, texts) {
  const { publisher, categories, keywords, engines, icon, extensionKind } = manifest(facts)
  const property = (id, value) => `      <Property Id="Microsoft.VisualStudio.Code.${id}" Value="${xml(value)}" />`
  const asset = (type, path) => `    <Asset Type="Microsoft.VisualStudio.${type}" Path="extension/${path}" Addressable="true" />`
  return `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${name}" Version="${version}" Publisher="${publisher}" />
    <DisplayName>${xml(texts.displayName)}</DisplayName>
    <Description xml:space="preserve">${xml(description)}</Description>
    <Tags>${xml(keywords.join(','))}</Tags>
    <Categories>${xml(categories.join(','))}</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <Properties>
${property('Engine', engines.vscode)}
${property('ExtensionKind', extensionKind.join(','))}
${property('ExtensionDependencies', '')}
${property('ExtensionPack', '')}
    </Properties>
    <License>extension/LICENSE.txt</License>
    <Icon>extension/${icon}</Icon>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code" />
  </Installation>
  <Dependencies />
  <Assets>
${asset('Code.Manifest', 'package.json')}
${asset('Services.Content.Details', 'README.md')}
${asset('Services.Content.Changelog', 'CHANGELOG.md')}
${asset('Services.Content.License', 'LICENSE.txt')}
${asset('Services.Icons.Default', icon)}
  </Assets>
</PackageManifest>
`
}

function contentTypes(paths) {
  const known = { json: 'application/json', md: 'text/markdown', txt: 'text/plain', svg: 'image/svg+xml', png: 'image/png' }
  const code = { cjs: 'application/javascript', mjs: 'application/javascript', js: 'application/javascript', css: 'text/css' }
  const types = { ...known, ...code, html: 'text/html', vsixmanifest: 'text/xml' }
  const endings = [...new Set(paths.map(path => path.split('.').at(-1)))].sort()
  const rows = endings.map(
    ending => `  <Default Extension=".${ending}" ContentType="${types[ending] ?? 'application/octet-stream'}" />`,
  )
  return `<?xml version="1.0" encoding="utf-8"?>\n<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">\n${rows.join('\n')}\n</Types>\n`
}

function xml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
