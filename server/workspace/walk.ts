import type { Dirent } from 'node:fs'
import { chmod, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { WorkspaceError } from './port.ts'

/** What git would not tell of a directory that an agent has left behind. */
export interface Oddities {
  /** Sockets, pipes and devices: nothing that git keeps. */
  readonly special: readonly string[]
  /** Directories, other than the top, that hold something named `.git`. */
  readonly nested: readonly string[]
}

/**
 * Walks the tree without following links and makes its directories readable: an agent may have taken its own rights away, and git
 * would pass over what it cannot open. Leaves out the top's `.git`.
 * @throws {WorkspaceError} unsafe_path for a path too long to be opened
 */
export async function walk(top: string): Promise<Oddities> {
  const special: string[] = []
  const nested: string[] = []
  const open = ['']
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const entry of await listed(top, directory)) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (entry.name === '.git') {
        if (directory !== '') nested.push(directory)
      } else if (entry.isDirectory()) open.push(path)
      else if (!entry.isFile() && !entry.isSymbolicLink()) special.push(path)
    }
  }
  return { special, nested }
}

/** Every file and link below a directory, without what is named `.git`. */
export async function filesBelow(top: string, directory: string): Promise<string[]> {
  const files: string[] = []
  const open = [directory]
  for (let current = open.pop(); current !== undefined; current = open.pop()) {
    for (const entry of await listed(top, current)) {
      if (entry.name === '.git') continue
      const path = `${current}/${entry.name}`
      if (entry.isDirectory()) open.push(path)
      else if (entry.isFile() || entry.isSymbolicLink()) files.push(path)
    }
  }
  return files
}

const OWNER_ALL = 0o700

async function listed(top: string, directory: string): Promise<Dirent[]> {
  const path = join(top, directory)
  try {
    const { mode } = await lstat(path)
    if ((mode & OWNER_ALL) !== OWNER_ALL) await chmod(path, (mode & 0o777) | OWNER_ALL)
    return await readdir(path, { withFileTypes: true })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw cause
    throw new WorkspaceError('unsafe_path', 'The result holds directories nested deeper than a path can say.', {
      cause,
      paths: [`${directory.slice(0, 200)}…`],
    })
  }
}
