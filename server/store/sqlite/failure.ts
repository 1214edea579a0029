import { ApiError } from '#shared/contract/index.ts'
import { StoreError } from '../error.ts'

/** Primary result codes of SQLite (sqlite.org/rescode.html); the extended code holds them in its low byte. */
const CODES = { busy: 5, readOnly: 8, io: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const

/** @returns -1 for what is no failure of SQLite. */
function primaryCode(error: unknown): number {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : -1
}

/** What a failure of SQLite means for whoever opened the database. */
export function openFailure(file: string, cause: unknown): unknown {
  if (cause instanceof StoreError) return cause
  const why = (cause as Error).message
  switch (primaryCode(cause)) {
    case CODES.notADatabase:
    case CODES.corrupt:
      return corrupt(file, why, cause)
    case CODES.busy:
      return new StoreError('locked', `The database ${file} is in use by another process (${why}).`, 'Stop that process first.', {
        cause,
      })
    case CODES.readOnly:
    case CODES.cannotOpen:
      return new StoreError(
        'read_only',
        `The database ${file} cannot be opened for writing (${why}).`,
        'Make its directory writable for this user, or name another data directory with SKEIN_DATA_DIR.',
        { cause },
      )
    case CODES.io:
    case CODES.full:
      return new StoreError(
        'failed',
        `The database ${file} cannot be read or written (${why}).`,
        'Look for a full or failing disk; nothing was changed.',
        { cause },
      )
    default:
      return cause
  }
}

export function corrupt(file: string, why: string, cause?: unknown): StoreError {
  return new StoreError(
    'corrupt',
    `The database ${file} is damaged or is no database (${why}); it was left as it is.`,
    'Restore it from a backup, or move it aside to start with an empty one.',
    { cause },
  )
}

/** What a failure of SQLite means for whoever asked for a write. */
export function writeFailure(cause: unknown): unknown {
  switch (primaryCode(cause)) {
    case CODES.full:
    case CODES.io:
      return new ApiError('out_of_space', `The database could not be written: ${(cause as Error).message}. Nothing was stored.`, {
        remedy: 'Free some space on the disk of the data directory (`skein prune` removes ended jobs), then try again.',
        cause,
      })
    default:
      return cause
  }
}
