import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PageManifest } from '#shared/webview/index.ts'

/** The built pages (webviews/) as files. */
export interface Pages {
  /** What a page begins with; null when they were not built. */
  manifest(): PageManifest | null
  /** One of the files; null when there is none of that name. */
  file(name: string): Promise<Uint8Array<ArrayBuffer> | null>
}

/** @param directory with `manifest.json`; it is read when first asked for. */
export function loadPages(directory: string): Pages {
  let read: { manifest: PageManifest; names: ReadonlySet<string> } | null = null
  function known() {
    try {
      read ??= {
        manifest: JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as PageManifest,
        names: new Set(readdirSync(directory)),
      }
    } catch {
      // Not built; they may be at the next request.
    }
    return read
  }
  return {
    manifest: () => known()?.manifest ?? null,
    file: async name => (known()?.names.has(name) ? new Uint8Array(await readFile(join(directory, name))) : null),
  }
}
