import { lstatSync, mkdirSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeTree } from '#server/lib/remove-tree.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'

const DIRECTORIES = ['home', 'tmp']

/**
 * Makes the directories a sandbox needs. Synchronous: a program waits for nothing else, and each trip to the thread pool takes longer than
 * what is done there. @throws {SandboxError}
 */
export function makeScratch(spec: SandboxSpec): void {
  const stat = lstatSync(spec.workTree, { throwIfNoEntry: false })
  if (!stat?.isDirectory()) throw new SandboxError('failed', `The work tree ${spec.workTree} is not a directory`)
  if (process.getuid && stat.uid !== process.getuid()) {
    throw new SandboxError(
      'failed',
      `The work tree ${spec.workTree} belongs to user ${stat.uid}, this server runs as ${process.getuid()}`,
      {
        remedy: 'A sandbox knows one user, the one that runs the server: run it as the owner of its data directory.',
      },
    )
  }
  mkdirSync(spec.scratch, { recursive: true, mode: 0o700 })
  for (const name of DIRECTORIES) mkdirSync(join(spec.scratch, name), { mode: 0o700 })
}

/** Removes it all, whatever a program left in it. */
export async function removeScratch(directory: string): Promise<void> {
  if (!(await removeEmpty(directory))) await removeTree(directory)
}

/** Most programs leave nothing in their home and tmp: then three calls are enough. Not synchronous: a busy disk would hold up everybody. */
async function removeEmpty(directory: string): Promise<boolean> {
  try {
    for (const name of DIRECTORIES) await rmdir(join(directory, name))
    await rmdir(directory)
    return true
  } catch {
    return false
  }
}
