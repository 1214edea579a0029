import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export type SideName = 'a' | 'b' | 'planted' | 'ceiling'

const program = fileURLToPath(new URL('side.ts', import.meta.url))

/** Runs one side of a bench in a fresh process. @throws {Error} when it fails, with what it said. */
export async function runSide(file: string, bench: string, side: SideName, fixture: string): Promise<number> {
  const child = fork(program, [file, bench, side, fixture], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let words = ''
  let value: number | null = null
  child.stderr?.setEncoding('utf8').on('data', chunk => {
    words += chunk
  })
  child.on('message', message => {
    value = Number(message)
  })
  await once(child, 'close')
  if (value === null || !(value > 0)) throw new Error(`Side ${side} of ${bench} gave no figure: ${words.trim()}`)
  return value
}

/**
 * Ratios of two sides, measured as A B B A A B B A …: what drifts slowly (a disk that warms up, a neighbour who leaves) then weighs on
 * both sides alike.
 */
export async function measurePairs(
  pairs: number,
  first: () => Promise<number>,
  second: () => Promise<number>,
  progress: (pair: { a: number; b: number }) => void,
): Promise<{ a: number; b: number }[]> {
  const measured: { a: number; b: number }[] = []
  for (let index = 0; index < pairs; index++) {
    let a: number
    let b: number
    if (index % 2 === 0) {
      a = await first()
      b = await second()
    } else {
      b = await second()
      a = await first()
    }
    measured.push({ a, b })
    progress({ a, b })
  }
  return measured
}
