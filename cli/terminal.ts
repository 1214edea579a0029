import type { Environment } from '#server/config.ts'
import { CliError, EXIT } from './exit-codes.ts'

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan'
const SGR: Record<Style, readonly [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
}
export type Paint = (style: Style, text: string) => string

/** One output stream, as a person or a program sees it. */
export interface Terminal {
  readonly isTerminal: boolean
  readonly colour: boolean
  /** Columns of the terminal; unbounded where there is none, so that programs get whole values. */
  readonly columns: number
  readonly paint: Paint
  /** Resolves when more may be written. @throws {CliError} when the reader went away. */
  write(data: string | Uint8Array): Promise<void>
  line(text?: string): Promise<void>
}

export interface OutputStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(data: string | Uint8Array, done: (error?: Error | null) => void): boolean
}

/** Colours at a terminal only, unless NO_COLOR (no-color.org) or FORCE_COLOR say otherwise; NO_COLOR is the stronger. */
export function wantsColour(stream: OutputStream, env: Environment): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return stream.isTTY === true && env.TERM !== 'dumb'
}

export function createTerminal(stream: OutputStream, env: Environment): Terminal {
  const isTerminal = stream.isTTY === true
  const colour = wantsColour(stream, env)
  const write = (data: string | Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      stream.write(data, error => {
        if (!error) resolve()
        else reject(new CliError(EXIT.pipeClosed, 'The reader of the output went away.', { cause: error }))
      })
    })
  return {
    isTerminal,
    colour,
    get columns() {
      // A terminal of no size, as some recorders have, says 0.
      return isTerminal ? stream.columns || 80 : Number.POSITIVE_INFINITY
    },
    paint: (style, text) => (colour ? `\u001B[${SGR[style][0]}m${text}\u001B[${SGR[style][1]}m` : text),
    write,
    line: (text = '') => write(`${text}\n`),
  }
}
