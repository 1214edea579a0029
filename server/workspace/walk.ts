import type { Dirent } from 'node:fs'
import { chmod, lstat, readdir } from 'node:fs/promises'
import { WorkspaceError } from './port.ts'

/** Path below the top of a work tree, as the bytes the file system has: a name need not be UTF-8. */
export type RawPath = Buffer

/** What git would not tell of a directory that an agent has left behind. */
export interface Oddities {
  /** Sockets, pipes and devices: nothing that git keeps. */
  readonly special: readonly RawPath[]
  /** Directories, other than the top, that hold something named `.git`. */
  readonly nested: readonly RawPath[]
}

const SLASH = Buffer.from('/')
const GIT = Buffer.from('.git')
const TOP: RawPath = Buffer.alloc(0)
const OWNER_ALL = 0o700

export function absolute(top: string, path: RawPath): Buffer {
  return Buffer.concat([Buffer.from(top), SLASH, path])
}

/**
 * Walks the tree without following links and makes its directories readable: an agent may have taken its own rights away, and git
 * would pass over what it cannot open. Leaves out the top's `.git`.
 * @throws {WorkspaceError} unsafe_path for a path too long to be opened
 */
export async function walk(top: string): Promise<Oddities> {
  const special: RawPath[] = []
  const nested: RawPath[] = []
  for await (const { directory, entry, path } of entriesBelow(top, TOP)) {
    if (entry.name.equals(GIT)) {
      if (directory.length > 0) nested.push(directory)
    } else if (!entry.isDirectory() && !entry.isFile() && !entry.isSymbolicLink()) special.push(path)
  }
  return { special, nested }
}

/** Every file and link below a directory, without what is named `.git`. */
export async function filesBelow(top: string, start: RawPath): Promise<RawPath[]> {
  const files: RawPath[] = []
  for await (const { entry, path } of entriesBelow(top, start))
    if (!entry.name.equals(GIT) && (entry.isFile() || entry.isSymbolicLink())) files.push(path)
  return files
}

async function* entriesBelow(top: string, start: RawPath) {
  const open = [start]
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const entry of await listed(top, directory)) {
      const path = directory.length === 0 ? entry.name : Buffer.concat([directory, SLASH, entry.name])
      if (entry.isDirectory() && !entry.name.equals(GIT)) open.push(path)
      yield { directory, entry, path }
    }
  }
}

async function listed(top: string, directory: RawPath): Promise<Dirent<Buffer>[]> {
  const path = absolute(top, directory)
  try {
    const { mode } = await lstat(path)
    if ((mode & OWNER_ALL) !== OWNER_ALL) await chmod(path, (mode & 0o777) | OWNER_ALL)
    return await readdir(path, { withFileTypes: true, encoding: 'buffer' })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw cause
    throw new WorkspaceError('unsafe_path', 'The result holds directories nested deeper than a path can say.', {
      cause,
      paths: [`${directory.toString().slice(0, 200)}…`],
    })
  }
}
