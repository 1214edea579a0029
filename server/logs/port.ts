import type { JobId } from '#shared/model/index.ts'

/** Writes the log of one job. One writer a job; bytes are numbered from 0 across attempts. */
export interface LogWriter {
  /** Offset of the next byte, counting what is accepted but not written yet. */
  readonly offset: number
  /** Bytes dropped because the log reached its limit. */
  readonly dropped: number
  /** Accepts bytes; resolves when more may be given (bounded memory). Secrets are struck out on the way. */
  write(bytes: Uint8Array): Promise<void>
  /** Everything accepted is in the file. @returns the offset then. */
  flush(): Promise<number>
  /** SHA-256 (hex) of the bytes in [from, to). */
  hash(from: number, to: number): Promise<string>
  close(): Promise<void>
}

/** Append-only log files addressed by byte offset. */
export interface Logs {
  writer(id: JobId, options: { maxBytes: number; redact: (bytes: Uint8Array, end: boolean) => Uint8Array }): Promise<LogWriter>
  size(id: JobId): Promise<number>
  /** @returns at most `limit` bytes from `offset`; empty at the end. */
  read(id: JobId, offset: number, limit: number): Promise<Uint8Array>
  /** Called with the new size after bytes reached the file, and with `sealed` once nothing more comes. */
  follow(id: JobId, listener: (size: number, sealed: boolean) => void): () => void
  /** Makes the file final and durable. */
  seal(id: JobId): Promise<{ bytes: number; sha256: string }>
  remove(id: JobId): Promise<void>
  /** Bytes all logs take on disk. */
  totalBytes(): Promise<number>
}
