import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeDirectory } from '#server/lib/make-directory.ts'
import { StoreError } from './error.ts'

/** The right to be the only server of a data directory. */
export interface DataDirectoryLock {
  release(): Promise<void>
}

const SQLITE_BUSY = 5

/**
 * Makes a data directory ours alone and private (mode 0700), until `release` or the end of this process, however it ends: the
 * lock is the one SQLite holds on an empty database, so the kernel drops it with the process and none can be left behind. No
 * child process inherits it. The file `owner.pid` beside it only tells people who holds it.
 * @throws {StoreError} `locked` when another process has it, `read_only` when the directory cannot be written.
 */
export async function lockDataDirectory(directory: string): Promise<DataDirectoryLock> {
  const owner = join(directory, 'owner.pid')
  const lock = await acquire(directory, owner)
  try {
    await writeFile(owner, `${process.pid}\n`, { mode: 0o600 })
  } catch (cause) {
    lock.close()
    throw unusable(directory, cause)
  }
  return {
    async release() {
      if (!lock.isOpen) return
      await rm(owner, { force: true })
      lock.close()
    },
  }
}

async function acquire(directory: string, owner: string): Promise<DatabaseSync> {
  let lock: DatabaseSync | undefined
  try {
    await makeDirectory(directory)
    await chmod(directory, 0o700)
    lock = new DatabaseSync(join(directory, 'lock.db'))
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw unusable(directory, cause)
    const pid = (await readFile(owner, 'utf8').catch(() => '')).trim()
    throw new StoreError(
      'locked',
      `Another process${/^\d+$/.test(pid) ? ` (pid ${pid})` : ''} already serves ${directory}.`,
      'Use that server, stop it first, or give this one a data directory of its own.',
      { cause },
    )
  }
}

function unusable(directory: string, cause: unknown): StoreError {
  return new StoreError(
    'read_only',
    `The data directory ${directory} cannot be made or written: ${(cause as Error).message}.`,
    'Make it writable for this user, or name another with SKEIN_DATA_DIR.',
    { cause },
  )
}
