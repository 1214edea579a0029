import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'

/** Largest file read, bytes. */
const MAX_FILE_BYTES = 8 * 1024 * 1024
const SKIPPED = new Set(['.git', 'node_modules'])

/** A mistake of the model, told to it in words it can act on. */
export class ToolError extends Error {}

/**
 * Turns a path a model wrote into a real one inside the work tree. The sandbox would stop most of what this refuses; without one
 * (`--no-sandbox`) this is all there is for the file tools.
 * @throws {ToolError}
 */
export function confine(root: string, path: string): string {
  if (path.includes('\0')) throw new ToolError('A path has no null character')
  const real = realPath(resolve(root, path))
  const way = relative(realpathSync(root), real)
  if (way === '..' || way.startsWith(`..${sep}`) || resolve(way) === way)
    throw new ToolError(`${path} is outside of the work tree`)
  return real
}

/** Where a path leads, links resolved; of what does not exist yet, where it would come to be. */
function realPath(path: string): string {
  if (lstatSync(path, { throwIfNoEntry: false })) {
    try {
      return realpathSync(path)
    } catch {
      // Writing to it would make its target, which nobody has looked at.
      throw new ToolError(`${path} is a link that leads nowhere`)
    }
  }
  const parent = dirname(path)
  return parent === path ? path : join(realPath(parent), basename(path))
}

/** The text of a file in the work tree. @throws {ToolError} for what is no file, too large, or not text. */
export function readText(root: string, path: string): string {
  const file = confine(root, path)
  const stat = statSync(file, { throwIfNoEntry: false })
  if (!stat) throw new ToolError(`there is no ${path}`)
  if (!stat.isFile()) throw new ToolError(`${path} is no file`)
  if (stat.size > MAX_FILE_BYTES) throw new ToolError(`${path} has ${stat.size} bytes, too many to read`)
  const bytes = readFileSync(file)
  // As git tells: a null byte near the start.
  if (bytes.subarray(0, 8000).includes(0)) throw new ToolError(`${path} is not text`)
  return bytes.toString()
}

/** Files below a directory, sorted, without git's own and installed packages. Links are not followed. */
export function* filesBelow(directory: string): Generator<string> {
  const entries = readdirSync(directory, { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (SKIPPED.has(entry.name)) continue
    const file = join(directory, entry.name)
    if (entry.isDirectory()) yield* filesBelow(file)
    else if (entry.isFile()) yield file
  }
}
