import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
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
  await makeWithParents(resolve(path))
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

/** Node's own `recursive` never returns below a directory that lets nobody make one and says so by ENOENT, as /proc does. */
async function makeWithParents(path: string): Promise<void> {
  const failure = await make(path)
  if (failure?.code !== 'ENOENT') return refuse(path, failure)
  const parent = dirname(path)
  if (await lstat(parent).catch(() => null)) return refuse(path, failure)
  await makeWithParents(parent)
  return refuse(path, await make(path))
}

/** @returns why there is no directory then; null when there is one */
async function make(path: string): Promise<NodeJS.ErrnoException | null> {
  try {
    await mkdir(path, { mode: 0o700 })
    return null
  } catch (error) {
    const failure = error as NodeJS.ErrnoException
    const isThere = failure.code === 'EEXIST' && (await realpath(path).then(lstat)).isDirectory()
    return isThere ? null : failure
  }
}

function refuse(path: string, cause: NodeJS.ErrnoException | null): void {
  if (!cause) return
  throw Object.assign(new Error(`The data directory ${path} cannot be made: ${cause.message}`, { cause }), {
    remedy: 'Name another one by --data-dir or SKEIN_DATA_DIR, or see to the rights of its parent.',
  })
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
