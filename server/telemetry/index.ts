import { type Logger, pino } from 'pino'

export type Log = Logger

/** JSON lines on stderr, so that stdout stays for programs. Values that look like secrets never get this far (see access/). */
export function createLog(level: string): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }))
}
