import { globSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate'

const here = import.meta.dirname

/** The bundle of the product with the tests in it: they are in the same host, and see what the extension gives the editor. */
async function bundle(): Promise<string> {
  const recorded = join(here, 'recorded.ts')
  const { outputFiles } = await build({
    entryPoints: [join(here, 'main.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    external: ['vscode'],
    supported: { 'dynamic-import': false },
    logLevel: 'warning',
    plugins: [
      {
        name: 'recorded',
        setup({ onResolve }) {
          onResolve({ filter: /^vscode$/ }, ({ importer }) =>
            importer === recorded ? { path: 'vscode', external: true } : { path: recorded },
          )
          onResolve({ filter: /\/language-client\.ts$/ }, () => ({ path: './languageclient.cjs', external: true }))
        },
      },
    ],
  })
  return outputFiles[0]?.text ?? ''
}

/**
 * Makes a VSIX of the product's, with the tests inside, which start with the editor. @param to where it is written
 * @param vendor of models that the tests give the editor
 */
export async function packHostTests(to: string, vendor: string): Promise<void> {
  const [vsix = ''] = globSync('dist/*.vsix')
  const files = unzipSync(await readFile(vsix))
  const manifest = JSON.parse(strFromU8(files['extension/package.json'] ?? new Uint8Array()))
  manifest.activationEvents.push('onStartupFinished')
  manifest.contributes.languageModelChatProviders.push({ vendor, displayName: vendor })
  files['extension/package.json'] = strToU8(JSON.stringify(manifest))
  files['extension/dist/extension.cjs'] = strToU8(await bundle())
  await writeFile(to, zipSync(files))
}
