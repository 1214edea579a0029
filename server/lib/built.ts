import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Path of something in `dist/`; sources and bundle find it at different distances. */
export function built(path: string): string {
  const toDist = import.meta.url.endsWith('.ts') ? '../../dist/' : import.meta.url.includes('/chunks/') ? '../' : './'
  return fileURLToPath(new URL(`${toDist}${path}`, import.meta.url))
}

/**
 * Path of a program that runs inside a sandbox. They are always the built single files, because a sandbox sees nothing of this
 * package but the one file it runs.
 */
export const insideProgram = (name: 'relay' | 'builtin-agent' | 'runner'): string => built(`inside/${name}.mjs`)

/** Whether this program runs out of its own source tree, which no package of it holds. */
export const isSourceTree = (): boolean => existsSync(built('../server/main.ts'))
