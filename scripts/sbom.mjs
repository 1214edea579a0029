// Writes what an image is made of, as SPDX and as CycloneDX: node scripts/sbom.mjs orchestrator|runner DIRECTORY. It is what `npm sbom`
// says, less the tools that only build. To npm every library here is a tool, because they are bundled: dist/packages.json tells which
// have code in what ships.
// docs/decisions/0185-what-an-image-is-made-of.md
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FORMATS = [
  { format: 'spdx', file: 'sbom.spdx.json', only: spdxOnly },
  { format: 'cyclonedx', file: 'sbom.cdx.json', only: cyclonedxOnly },
]

const [image = '', directory] = process.argv.slice(2)
const packages = JSON.parse(readFileSync('dist/packages.json', 'utf8'))
if (!Object.hasOwn(packages, image) || !directory) {
  console.error(`Usage: node scripts/sbom.mjs ${Object.keys(packages).join('|')} DIRECTORY`)
  process.exit(64)
}
const { name } = JSON.parse(readFileSync('package.json', 'utf8'))
const shipped = new Set(packages[image])
const isShipped = (packageName, packageVersion) => shipped.has(`${packageName}@${packageVersion}`)

mkdirSync(directory, { recursive: true })
for (const { format, file, only } of FORMATS) {
  const all = execFileSync('npm', ['sbom', `--sbom-format=${format}`, '--package-lock-only'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const { document, count } = only(JSON.parse(all))
  if (count !== shipped.size) {
    console.error(
      `npm names ${count} of the ${shipped.size} packages in dist/packages.json: run \`npm ci\` and \`npm run build\`, then try again.`,
    )
    process.exit(1)
  }
  const out = join(directory, file)
  writeFileSync(out, `${JSON.stringify(document, null, 2)}\n`)
  console.log(`${out}: ${count} packages`)
}

function spdxOnly(document) {
  const isRoot = ({ SPDXID }) => document.documentDescribes.includes(SPDXID)
  const packages = document.packages.filter(entry => isRoot(entry) || isShipped(entry.name, entry.versionInfo))
  const kept = new Set(['SPDXRef-DOCUMENT', ...packages.map(({ SPDXID }) => SPDXID)])
  const relationships = document.relationships
    .filter(({ spdxElementId, relatedSpdxElement }) => kept.has(spdxElementId) && kept.has(relatedSpdxElement))
    .map(relation => ({ ...relation, relationshipType: relation.relationshipType.replace(/^DEV_/, '') }))
  return { document: { ...document, packages, relationships }, count: packages.length - 1 }
}

function cyclonedxOnly(document) {
  const components = document.components
    .filter(entry => isShipped(entry.name, entry.version))
    .map(entry => ({
      ...entry,
      scope: 'required',
      properties: entry.properties.filter(property => property.name !== 'cdx:npm:package:development'),
    }))
  // npm names the product by the folder it lies in.
  const component = { ...document.metadata.component, name }
  const kept = new Set([component['bom-ref'], ...components.map(entry => entry['bom-ref'])])
  const dependencies = document.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter(other => kept.has(other)) }))
  return {
    document: { ...document, metadata: { ...document.metadata, component }, components, dependencies },
    count: components.length,
  }
}
