import { constants } from 'node:os'
import type { Exit } from './index.ts'

const NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/**
 * What the end of a process means. Bubblewrap, shells and the relay report a program that a signal ended as 128 + its number;
 * so does the program itself when it passes on what became of its child. Both count as the signal.
 */
export function exitOf(code: number | null, signal: string | null): Exit {
  const name = signal ?? (code !== null && code > 128 ? NAMES.get(code - 128) : undefined)
  if (name === 'SIGXCPU') return { reason: 'limit', limit: 'cpu' }
  if (name === 'SIGXFSZ') return { reason: 'limit', limit: 'file' }
  return name === undefined ? { reason: 'exit', code: code ?? 1 } : { reason: 'signal', signal: name }
}
