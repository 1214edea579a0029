import type { Environment } from '#server/config.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** What a command may touch of its process, as a parameter so that tests can give another. */
export interface World {
  readonly env: Environment
  readonly cwd: string
  readonly out: Terminal
  readonly err: Terminal
  /** A person's keyboard, or null where there is none. */
  readonly keyboard: NodeJS.ReadableStream | null
  /** Calls on every SIGINT and SIGTERM until the result is called. */
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): () => void
}

export function processWorld(): World {
  const { env, stdin, stdout, stderr } = process
  return {
    env,
    cwd: process.cwd(),
    out: createTerminal(stdout, env),
    err: createTerminal(stderr, env),
    keyboard: stdin.isTTY ? stdin : null,
    onSignal(listener) {
      process.on('SIGINT', listener).on('SIGTERM', listener)
      return () => process.off('SIGINT', listener).off('SIGTERM', listener)
    },
  }
}
