const ESCAPE = '\u001B'
const CSI = '\u009B'
const BELL = '\u0007'
const STRING_END = '\u009C'
/** SGR: colour and weight. Parameters and colons only, so that nothing else hides in it. */
const COLOUR = /^[0-9;:]{0,64}$/
/** A sequence that never ends must not swallow the rest of a log. */
const LONGEST_SEQUENCE = 4096
/** Marks that reorder or hide what is shown, so that text reads differently from what it is. */
const REORDERING = /[\u061C\u200B\u202A-\u202E\u2060-\u2069\uFEFF]/
/** What needs no look, so that ordinary output is passed on in runs instead of character by character. */
const HARMLESS = /[\n\t\x20-\x7E\u00A0-\u061B\u061D-\u200A\u200C-\u2029\u202F-\u205F\u206A-\uFEFE\uFF00-\uFFFF]+/y
const RESET = `${ESCAPE}[0m`

export interface SanitizeOptions {
  /** Whether colours (SGR sequences) are passed on. */
  readonly colour: boolean
}

/**
 * Makes hostile output safe to show at a terminal: colours may stay, and every other control sequence goes, so that output can
 * neither move the cursor, retitle the window, write the clipboard (OSC 52), make links that lie (OSC 8), ask the terminal to
 * type something, nor overwrite what was shown. A carriage return becomes a line feed; marks that reorder text are shown by
 * their code point. Sequences as ECMA-48 and xterm define them.
 */
export interface Sanitizer {
  /** What may be shown now; a sequence that is not complete yet is held back. */
  write(text: string): string
  /** Drops an incomplete sequence and ends colours that are still on. */
  end(): string
}

type State = 'text' | 'return' | 'escape' | 'intermediate' | 'control' | 'string' | 'string-escape'

export function createSanitizer({ colour }: SanitizeOptions): Sanitizer {
  let state: State = 'text'
  let sequence = ''
  let coloured = false

  function plain(char: string): string {
    state = 'text'
    const code = char.codePointAt(0) ?? 0
    if (char === '\n' || char === '\t') return char
    if (char === '\r') {
      state = 'return'
      return '\n'
    }
    if (char === ESCAPE) state = 'escape'
    else if (char === CSI) enter('control')
    else if (/[\u0090\u0098\u009D-\u009F]/.test(char)) enter('string')
    else if (REORDERING.test(char)) return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
    else if (code >= 0x20 && !(code >= 0x7f && code <= 0x9f)) return char
    return ''
  }

  function enter(next: 'control' | 'string'): void {
    state = next
    sequence = ''
  }

  /** Inside CSI until a final byte; SGR is the one that may pass. */
  function control(char: string): string {
    const code = char.charCodeAt(0)
    if (code >= 0x40 && code <= 0x7e) {
      state = 'text'
      return char === 'm' ? colours() : ''
    }
    if (code >= 0x20 && code <= 0x3f && sequence.length < LONGEST_SEQUENCE) {
      sequence += char
      return ''
    }
    return plain(char)
  }

  function colours(): string {
    // 8 hides text; it is dropped unless it is an argument of an extended colour.
    if (!colour || !COLOUR.test(sequence) || /(^|;)8(;|$)/.test(sequence.replaceAll(/[345]8[;:][25][;:][\d;:]*/g, ''))) return ''
    coloured = !/(^|;)0*$/.test(sequence)
    return `${ESCAPE}[${sequence}m`
  }

  function step(char: string): string {
    switch (state) {
      case 'text':
        return plain(char)
      case 'return':
        state = 'text'
        return char === '\n' ? '' : plain(char)
      case 'escape':
        if (char === '[') enter('control')
        else if (/[\]PX^_]/.test(char)) enter('string')
        else if (/[ -/]/.test(char)) state = 'intermediate'
        else if (/[0-~]/.test(char)) state = 'text'
        else return plain(char)
        return ''
      case 'intermediate':
        if (/[ -/]/.test(char)) return ''
        if (!/[0-~]/.test(char)) return plain(char)
        state = 'text'
        return ''
      case 'control':
        return control(char)
      case 'string':
        return string(char)
      case 'string-escape':
        if (char !== '\\') return plain(ESCAPE) + step(char)
        state = 'text'
        return ''
    }
  }

  /** Inside OSC, DCS, SOS, PM or APC until the terminator. A line feed ends it too, so that one stray byte costs one line. */
  function string(char: string): string {
    sequence += char
    if (char === ESCAPE) state = 'string-escape'
    else if (char === BELL || char === STRING_END) state = 'text'
    else if (char === '\n' || char === '\r' || sequence.length >= LONGEST_SEQUENCE) return plain(char)
    return ''
  }

  return {
    write(text) {
      let shown = ''
      for (let at = 0; at < text.length; ) {
        HARMLESS.lastIndex = at
        const run = state === 'text' ? HARMLESS.exec(text)?.[0] : undefined
        const taken = run ?? text.charAt(at)
        shown += run ?? step(taken)
        at += taken.length
      }
      return shown
    },
    end() {
      const shown = coloured ? RESET : ''
      state = 'text'
      coloured = false
      return shown
    },
  }
}

/** The whole of a text made safe to show; see `Sanitizer`. */
export function sanitizeTerminal(text: string, options: SanitizeOptions = { colour: false }): string {
  const sanitizer = createSanitizer(options)
  return sanitizer.write(text) + sanitizer.end()
}

/** One safe line of plain text, for titles and names. */
export const sanitizeLine = (text: string): string => sanitizeTerminal(text).replaceAll(/\s+/g, ' ').trim()
