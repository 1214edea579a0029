import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Directories } from '#server/jobs/index.ts'

/** The directories of a node, made and private to this user. */
export type DataDirectory = Directories

/** A short name for a data directory, the same at every start: marks what belongs to its node. */
export function nodeMarker(path: string): string {
  return createHash('sha256').update(resolve(path)).digest('hex').slice(0, 16)
}

/**
 * Makes the directories of a node. The runtime directory is outside, because the path of a unix socket may have 107 bytes and a
 * data directory may be deeper; its name follows from the data directory, so that a later server finds and clears it.
 * @throws {Error} when one of them cannot be made, or belongs to somebody else.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  const data = await realpath(path)
  const runtime = join(tmpdir(), `skein-${process.getuid?.() ?? 0}-${nodeMarker(data)}`)
  const directory = {
    data,
    attempts: join(data, 'attempts'),
    artifacts: join(data, 'artifacts'),
    hosted: join(data, 'hosted'),
    runtime,
  }
  await chmod(data, 0o700)
  for (const made of [directory.attempts, directory.artifacts, directory.hosted])
    await mkdir(made, { recursive: true, mode: 0o700 })
  return directory
}

/** Empties the runtime directory. Only for the owner of the data directory's lock. */
export async function clearRuntimeDirectory({ runtime }: DataDirectory): Promise<void> {
  await rm(runtime, { recursive: true, force: true })
  await mkdir(runtime, { mode: 0o700 })
  const made = await lstat(runtime)
  if (!made.isDirectory() || (process.getuid && made.uid !== process.getuid())) {
    throw new Error(`${runtime} belongs to somebody else. Remove it, or set TMPDIR to a directory of your own.`)
  }
}
