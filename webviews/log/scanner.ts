import { applySgr, type Style } from './ansi.ts'

/** Longest line, bytes: what an agent writes without a line feed is broken here, so that no row is ever costly to show. */
export const LONGEST_LINE = 4096

const [BELL, LINE_FEED, RETURN, ESCAPE] = [7, 10, 13, 27]
const LONGEST_SEQUENCE = 64

type Mode = 'text' | 'return' | 'escape' | 'control' | 'string' | 'string-escape'

/** Told where each line but the first begins, and with what style. */
type OnLine = (offset: number, style: Style) => void

/**
 * Finds the lines in the bytes of a log as they come, in pieces of any size. A line ends after LF, CR LF, or a CR alone (what would write
 * over itself is shown line by line), or at its longest. Colours may last over many lines; each line is told the style it begins with.
 */
export function createScanner(onLine: OnLine): { write(bytes: Uint8Array): void } {
  let mode: Mode = 'text'
  let style: Style = 0
  let parameters = ''
  let offset = 0
  let lineStart = 0

  const begin = (at: number) => {
    lineStart = at
    onLine(at, style)
  }

  /** Every byte that is not ordinary text, and every byte of a sequence. */
  function step(byte: number, at: number) {
    if (byte === LINE_FEED) {
      mode = 'text'
      return begin(at + 1)
    }
    if (mode === 'return') {
      begin(at)
      mode = 'text'
    }
    if (byte === RETURN) mode = 'return'
    else if (mode === 'control') control(byte)
    else if (mode === 'string') mode = byte === BELL ? 'text' : byte === ESCAPE ? 'string-escape' : 'string'
    else if (byte === ESCAPE) mode = 'escape'
    else if (mode === 'escape') introduce(byte)
    else if (mode === 'string-escape' && byte !== 0x5c) introduce(byte)
    else mode = 'text'
  }

  function introduce(byte: number): void {
    parameters = ''
    const char = String.fromCharCode(byte)
    mode = char === '[' ? 'control' : /[\]PX^_]/.test(char) ? 'string' : 'text'
  }

  /** Inside `ESC [` until a final byte; `m` is colour. */
  function control(byte: number): void {
    if (byte >= 0x20 && byte <= 0x3f && parameters.length < LONGEST_SEQUENCE) parameters += String.fromCharCode(byte)
    else {
      mode = byte === ESCAPE ? 'escape' : 'text'
      if (byte === 0x6d && /^[\d;:]*$/.test(parameters)) style = applySgr(style, parameters)
    }
  }

  return {
    write(bytes) {
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i] as number
        const at = offset + i
        // Not inside a character of several bytes.
        if (at - lineStart >= LONGEST_LINE && (byte & 0xc0) !== 0x80 && byte !== LINE_FEED) begin(at)
        if (mode !== 'text' || byte === LINE_FEED || byte === RETURN || byte === ESCAPE) step(byte, at)
      }
      offset += bytes.length
    },
  }
}
