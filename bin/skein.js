#!/usr/bin/env node
// Plain JavaScript that any Node.js can parse, so that an old one gets a sentence instead of a stack trace.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `skein needs Node.js 22.19 or newer for its embedded database; this is ${process.version}. Install a newer Node.js, or run it by \`npx\` inside the repository, which brings its own.\n`,
  )
  process.exit(78)
}
const { enableCompileCache } = await import('node:module')
enableCompileCache()
const { main } = await import('../dist/skein.mjs')
process.exitCode = await main(process.argv.slice(2))
