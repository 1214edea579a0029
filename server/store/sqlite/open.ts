import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../error.ts'
import { corrupt, openFailure } from './failure.ts'
import { MIGRATIONS } from './schema.ts'

/** Pages of the write-ahead log before they are moved into the database: fewer moves of the same hot pages than the default 1000. */
const CHECKPOINT_PAGES = 4000
/** The write-ahead log is cut back to this after a large transaction. */
const WAL_BYTES = 32 * 1024 * 1024
const CACHE_KIB = 16 * 1024
const HEADER_BYTES = 100

/**
 * Opens the database and brings its schema up to date. A file that is damaged, newer, or no database is refused and not touched.
 * @throws {StoreError}
 */
export function openDatabase(file: string, migrations: readonly string[] = MIGRATIONS): DatabaseSync {
  refuseTruncated(file)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(file)
    refuseNewer(db, file, migrations.length)
    layOut(db)
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -${CACHE_KIB};
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${WAL_BYTES}`)
    migrate(db, migrations)
    return db
  } catch (cause) {
    db?.close()
    throw openFailure(file, cause)
  }
}

/**
 * Has pages that become free given back to the file system, which only a database that is still empty can be told. This and the
 * turn to a write-ahead log that follows change some bytes of the first sector, which a disk writes whole or not at all: to keep a
 * journal of them on disk would double what a first start waits for.
 */
function layOut(db: DatabaseSync): void {
  if (number(db, 'page_count') === 0) db.exec('PRAGMA journal_mode = MEMORY; PRAGMA auto_vacuum = INCREMENTAL')
}

const number = (db: DatabaseSync, pragma: 'page_count' | 'user_version'): number =>
  Number(db.prepare(`PRAGMA ${pragma}`).get()?.[pragma])

function refuseNewer(db: DatabaseSync, file: string, known: number): void {
  const found = number(db, 'user_version')
  if (found <= known) return
  throw new StoreError(
    'newer',
    `The database ${file} has schema ${found}; this version of Skein knows schemas up to ${known}.`,
    'Use the newer version that wrote it, or another data directory.',
  )
}

/** Takes the steps that are missing, all or none. */
function migrate(db: DatabaseSync, migrations: readonly string[]): void {
  const missing = migrations.slice(number(db, 'user_version'))
  if (missing.length === 0) return
  db.exec('BEGIN EXCLUSIVE')
  try {
    for (const step of missing) db.exec(step)
    db.exec(`PRAGMA user_version = ${migrations.length}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/**
 * A database cut short opens without a word and fails at the first page that is missing, perhaps days later. Its header tells
 * how many pages there should be (sqlite.org/fileformat2.html, 1.3.7 and 1.3.8); with a write-ahead log the file may lag behind.
 */
function refuseTruncated(file: string): void {
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0) return
  if (size < HEADER_BYTES) throw corrupt(file, 'its header is cut off')
  const header = readHeader(file)
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16)
  const countIsCurrent = header.readUInt32BE(24) === header.readUInt32BE(92)
  const expected = header.readUInt32BE(28) * pageBytes
  if (countIsCurrent && size < expected) throw corrupt(file, `it has ${size} of ${expected} bytes`)
}

function readHeader(file: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'r')
    readSync(descriptor, header, 0, HEADER_BYTES, 0)
    return header
  } catch (cause) {
    const why = (cause as Error).message
    throw new StoreError('read_only', `The database ${file} cannot be read (${why}).`, 'Look at its owner and mode.', { cause })
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
