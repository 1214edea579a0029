import { mkdirSync, rmdirSync } from 'node:fs'
import { chmod, lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SandboxError, type SandboxSpec } from '../index.ts'

const DIRECTORIES = ['home', 'tmp']

/** Makes the directories a sandbox needs. @throws {SandboxError} */
export async function makeScratch(spec: SandboxSpec): Promise<void> {
  const stat = await lstat(spec.workTree).catch(() => null)
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
  await mkdir(spec.scratch, { recursive: true, mode: 0o700 })
  for (const name of DIRECTORIES) mkdirSync(join(spec.scratch, name), { mode: 0o700 })
}

/** Removes it all, also directories that a program took its own permissions from (Go's module cache is made so). */
export async function removeScratch(directory: string): Promise<void> {
  if (removeEmpty(directory)) return
  const remove = () => rm(directory, { recursive: true, force: true })
  await remove().catch(async () => {
    await makeRemovable(directory)
    await remove()
  })
}

/** Most programs leave nothing in their home and tmp: then four calls are enough. */
function removeEmpty(directory: string): boolean {
  try {
    for (const name of DIRECTORIES) rmdirSync(join(directory, name))
    rmdirSync(directory)
    return true
  } catch {
    return false
  }
}

/** Links are not followed: `withFileTypes` tells what the entry itself is. */
async function makeRemovable(directory: string): Promise<void> {
  await chmod(directory, 0o700)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeRemovable(join(directory, entry.name))
  }
}
