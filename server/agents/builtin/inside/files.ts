import { lstatSync, realpathSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'

/** A mistake of the model, told to it in words it can act on. */
export class ToolError extends Error {}

/**
 * Turns a path a model wrote into a real one inside the work tree. The sandbox would stop most of what this refuses; without one
 * (`--no-sandbox`) this is all there is for the file tools.
 * @throws {ToolError}
 */
export function confine(root: string, path: string): string {
  const target = resolve(root, path)
  const real = realParent(target)
  const way = relative(realpathSync(root), real)
  if (way === '..' || way.startsWith(`..${sep}`) || resolve(way) === way)
    throw new ToolError(`${path} is outside of the work tree`)
  return target
}

/** The real path of the nearest existing ancestor, or of the file itself. */
function realParent(path: string): string {
  try {
    lstatSync(path)
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : realParent(parent)
  }
}
