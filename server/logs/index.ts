/** Append-only job logs, addressed by byte offset. */
export { createLogs } from './logs.ts'
export type { Logs, LogWriter } from './port.ts'
