import { createSanitizer } from '#shared/model/sanitize.ts'

/**
 * Colour and weight of text, packed in 24 bits: foreground and background (0: none, else a colour of the 256-colour palette + 1) and six
 * flags. 0 is plain text.
 */
export type Style = number

const BACKGROUND_SHIFT = 9
const COLOUR_MASK = 0x1ff
export const FLAGS = {
  bold: 1 << 18,
  dim: 1 << 19,
  italic: 1 << 20,
  underline: 1 << 21,
  inverse: 1 << 22,
  struck: 1 << 23,
} as const

/** @returns a colour of the palette, 0 to 255, or null. */
export const foregroundOf = (style: Style): number | null => colour(style & COLOUR_MASK)
export const backgroundOf = (style: Style): number | null => colour((style >> BACKGROUND_SHIFT) & COLOUR_MASK)
const colour = (packed: number): number | null => (packed === 0 ? null : packed - 1)

const withForeground = (style: Style, value: number): Style => (style & ~COLOUR_MASK) | value
const withBackground = (style: Style, value: number): Style =>
  (style & ~(COLOUR_MASK << BACKGROUND_SHIFT)) | (value << BACKGROUND_SHIFT)

/** What sets and what clears a flag, by parameter of SGR. */
const SET: Readonly<Record<number, number>> = {
  1: FLAGS.bold,
  2: FLAGS.dim,
  3: FLAGS.italic,
  4: FLAGS.underline,
  7: FLAGS.inverse,
  9: FLAGS.struck,
}
const CLEAR: Readonly<Record<number, number>> = {
  21: FLAGS.bold,
  22: FLAGS.bold | FLAGS.dim,
  23: FLAGS.italic,
  24: FLAGS.underline,
  27: FLAGS.inverse,
  29: FLAGS.struck,
}

/** The style after a sequence `ESC [ parameters m` (ECMA-48, with the 256 and direct colours of xterm). What it does not know it passes over. */
export function applySgr(style: Style, parameters: string): Style {
  const values = parameters.split(/[;:]/).map(Number)
  let now = style
  for (let at = 0; at < values.length; at++) {
    const value = values[at] || 0
    if (value === 38 || value === 48) {
      const [packed, taken] = extended(values.slice(at + 1, at + 6))
      if (packed !== null) now = value === 38 ? withForeground(now, packed) : withBackground(now, packed)
      at += taken
    } else now = simple(now, value)
  }
  return now
}

function simple(style: Style, value: number): Style {
  if (value === 0) return 0
  if (value >= 30 && value <= 37) return withForeground(style, value - 30 + 1)
  if (value >= 90 && value <= 97) return withForeground(style, value - 90 + 8 + 1)
  if (value >= 40 && value <= 47) return withBackground(style, value - 40 + 1)
  if (value >= 100 && value <= 107) return withBackground(style, value - 100 + 8 + 1)
  if (value === 39) return withForeground(style, 0)
  if (value === 49) return withBackground(style, 0)
  return (style | (SET[value] ?? 0)) & ~(CLEAR[value] ?? 0)
}

/** @returns the packed colour that follows 38 or 48, null for one that is none, and how many parameters that took. */
function extended([kind, ...rest]: number[]): readonly [number | null, number] {
  if (kind === 5) return [inByte(rest[0]) ? rest[0] + 1 : null, 2]
  if (kind === 2) {
    const [red, green, blue] = rest
    return [inByte(red) && inByte(green) && inByte(blue) ? nearest(red, green, blue) + 1 : null, 4]
  }
  return [null, 1]
}

const inByte = (value: number | undefined): value is number => value !== undefined && value >= 0 && value <= 255

/** The colour of the 6×6×6 cube, or the grey, that is nearest. */
function nearest(red: number, green: number, blue: number): number {
  if (Math.max(red, green, blue) - Math.min(red, green, blue) < 8) {
    const grey = Math.round(((red + green + blue) / 3 - 8) / 10)
    if (grey >= 0 && grey < 24) return 232 + grey
  }
  const level = (value: number) => (value < 48 ? 0 : value < 115 ? 1 : Math.floor((value - 35) / 40))
  return 16 + 36 * level(red) + 6 * level(green) + level(blue)
}

/** Red, green and blue of a colour past the sixteen that a theme defines. */
export function rgbOf(index: number): readonly [number, number, number] {
  if (index >= 232) return [8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10]
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40)
  const cube = index - 16
  return [level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]
}

export interface Segment {
  readonly text: string
  readonly style: Style
}

const SGR = /\u001B\[([\d;:]*)m/g

/** One line as it is shown: harmless text in runs of one style. @param style in force where the line begins */
export function segmentsOf(line: string, style: Style): Segment[] {
  const text = createSanitizer({ colour: true }).write(line)
  const segments: Segment[] = []
  let now = style
  let from = 0
  const put = (until: number) => {
    if (until > from) segments.push({ text: text.slice(from, until), style: now })
  }
  for (const match of text.matchAll(SGR)) {
    put(match.index)
    now = applySgr(now, match[1] ?? '')
    from = match.index + match[0].length
  }
  put(text.length)
  return segments
}

/** Text without colours, when that is all there is in it that is not shown as it is; else null. */
export function withoutColours(text: string): string | null {
  const bare = text.includes('\u001B') ? text.replace(SGR, '') : text
  return /[^\t\n\r\x20-\x7E\u00A0-\u061B]/.test(bare) ? null : bare
}

/** The characters of a line that are shown. */
export const plainText = (line: string): string => {
  const bare = withoutColours(line)
  return bare === null || bare.includes('\r') ? createSanitizer({ colour: false }).write(line) : bare
}
