import { fileURLToPath } from 'node:url'

/**
 * Path of a program that runs inside a sandbox. They are always the built single files, because a sandbox sees nothing of this
 * package but the one file it runs; sources and bundle find them at different distances.
 */
export function insideProgram(name: 'relay' | 'builtin-agent'): string {
  const toDist = import.meta.url.endsWith('.ts') ? '../../dist/' : import.meta.url.includes('/chunks/') ? '../' : './'
  return fileURLToPath(new URL(`${toDist}inside/${name}.mjs`, import.meta.url))
}
