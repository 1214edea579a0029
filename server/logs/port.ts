import type { JobId } from '#shared/model/index.ts'

/** Writes the log of one job. One writer a job; bytes are numbered from 0 across attempts. */
export interface LogWriter {
  /** Offset of the next byte, counting what is accepted but not written yet. */
  readonly offset: number
  /** Bytes that are in the file. */
  readonly written: number
  /** Bytes dropped because the log reached its limit. */
  readonly dropped: number
  /** Accepts bytes; resolves when more may be given (bounded memory). Secrets are struck out on the way. */
  write(bytes: Uint8Array): Promise<void>
  /** Everything accepted is in the file. @returns the offset then. */
  flush(): Promise<number>
  /** SHA-256 (hex) of the bytes in [from, to). */
  hash(from: number, to: number): Promise<string>
  /** Everything accepted is on disk: an end that is told of after it never outlives what it tells of. */
  close(): Promise<void>
}

/** Reads one log; keeps its file open from the first byte it finds to the end. */
export interface LogReader {
  /**
   * @param headroom bytes left free at the start of the answer, for a header: a log is sent without being copied.
   * @returns the headroom and at most `limit` bytes from `offset`; no more than the headroom at the end.
   */
  read(offset: number, limit: number, headroom?: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** What a final log is known by: its length, and the SHA-256 (hex) of all of it. */
export interface SealedLog {
  readonly bytes: number
  readonly sha256: string
}

/** Append-only log files addressed by byte offset. */
export interface Logs {
  writer(id: JobId, options: { maxBytes: number; redact: (bytes: Uint8Array, end: boolean) => Uint8Array }): Promise<LogWriter>
  size(id: JobId): Promise<number>
  reader(id: JobId): LogReader
  /** Called with the new size after bytes reached the file, and with `sealed` once nothing more comes and that is recorded. */
  follow(id: JobId, listener: (size: number, sealed: boolean) => void): () => void
  /**
   * Makes the file final and durable, has it recorded, and only then tells followers: who follows first and asks the record second
   * misses no end. @throws what `record` throws.
   */
  seal(id: JobId, record: (sealed: SealedLog) => Promise<void>): Promise<void>
  remove(id: JobId): Promise<void>
  /** Bytes all logs take on disk. */
  totalBytes(): Promise<number>
}
