/**
 * What a line is in, as far as the lines before it say: one short string, so that two are compared at once. It decides how far a
 * change of one line is felt: lines are read again until a line is entered in the same block as before.
 *
 * - `start`: nothing came before
 * - `front`: front matter
 * - `comment`: an HTML comment that began on an earlier line
 * - `fence…`: fenced code, with its character, length, and whether it is in a quotation
 * - `text`, `text blank`, `list`, `list blank`: anything else; in a list or not, after a blank line or not
 */
export type Block = string

/** What a line is, given what it is in. */
export interface BlockLine {
  readonly after: Block
  /** Nothing on it is meant: code, a comment, front matter. */
  readonly isInert: boolean
  /** Its text (without its end) with comments and the content of inline code blanked out, column by column. */
  readonly plain: string
}

const FENCE = /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)?(`{3,}|~{3,})(.*)$/
const LIST_ITEM = /^[\s>]*(?:[-*+]|\d{1,9}[.)])(?:\s|$)/
const COMMENT_START = /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)?<!--/
/** What front matter is made of. A heading ends it, so that a rule on the first line does not swallow the document. */
const YAML_LINE = /^(?:\s.*|-\s.*|[\w"'-][^:]*:(?:\s.*)?|)$/

/** @param text the line without its end and without a byte order mark */
export function readBlock(before: Block, text: string): BlockLine {
  if (before === 'start' && /^---\s*$/.test(text)) return inert('front', text)
  if (before === 'front') {
    if (/^(?:---|\.\.\.)\s*$/.test(text)) return inert('text blank', text)
    if (YAML_LINE.test(text)) return inert('front', text)
  }
  if (before === 'comment') return inComment(text)
  if (before.startsWith('fence')) {
    const isOut = before.endsWith('>') && !/^\s*>/.test(text)
    if (!isOut) return inert(closes(before, text) ? 'text blank' : before, text)
  }
  return inText(before, text)
}

const inert = (after: Block, text: string): BlockLine => ({ after, isInert: true, plain: ' '.repeat(text.length) })

/** A block comment ends with the line that holds its end, whatever else stands there. */
const inComment = (text: string): BlockLine => inert(text.includes('-->') ? 'text blank' : 'comment', text)

function closes(fence: Block, text: string): boolean {
  const [, marker = ''] = fence.split(' ')
  const closing = /^[\s>]*(`{3,}|~{3,})\s*$/.exec(text)?.[1]
  return closing !== undefined && closing[0] === marker[0] && closing.length >= marker.length
}

function inText(before: Block, text: string): BlockLine {
  if (text.trim() === '') return { after: before.startsWith('list') ? 'list blank' : 'text blank', isInert: false, plain: text }
  const isInList = before.startsWith('list')
  const isAfterText = before === 'text' || before === 'list'
  if (!isInList && !isAfterText && columns(text) >= 4) return inert('text blank', text)
  const [, fence = '', info = ''] = FENCE.exec(text) ?? []
  if (fence && !(fence.startsWith('`') && info.includes('`')))
    return inert(`fence ${fence}${/^\s*>/.test(text) ? ' >' : ''}`, text)
  const start = COMMENT_START.exec(text)
  if (start && !text.includes('-->', start[0].length)) return inert('comment', text)
  const isContinued = isInList && /^\s/.test(text)
  return { after: LIST_ITEM.test(text) || isContinued ? 'list' : 'text', isInert: false, plain: plainOf(text) }
}

/** Width of the indentation; a tab goes to the next multiple of four. */
function columns(text: string): number {
  let width = 0
  for (const character of text) {
    if (character === ' ') width++
    else if (character === '\t') width += 4 - (width % 4)
    else break
  }
  return width
}

/** Blanks out comments, and the backticks and content of inline code. A backtick run without its like is text. */
function plainOf(text: string): string {
  if (!text.includes('`') && !text.includes('<!--')) return text
  const parts: string[] = []
  /** What nothing closes further on is not looked for again. */
  const unclosed = new Set<number | '<!--'>()
  let from = 0
  for (let at = 0; at < text.length; ) {
    const isTick = text[at] === '`'
    if (!isTick && !text.startsWith('<!--', at)) {
      at++
      continue
    }
    const run = isTick ? runLength(text, at) : 4
    const kind = isTick ? run : '<!--'
    const end = unclosed.has(kind) ? -1 : isTick ? closingTicks(text, at + run, run) : endOfComment(text, at)
    if (end < 0) {
      unclosed.add(kind)
      at += run
      continue
    }
    parts.push(text.slice(from, at), ' '.repeat(end - at))
    from = at = end
  }
  return parts.join('') + text.slice(from)
}

/** @returns -1 when there is none */
function endOfComment(text: string, start: number): number {
  const end = text.indexOf('-->', start + 4)
  return end < 0 ? -1 : end + 3
}

/** Where a run of as many backticks ends. @returns -1 when there is none */
function closingTicks(text: string, from: number, run: number): number {
  for (let next = text.indexOf('`', from); next >= 0; ) {
    const length = runLength(text, next)
    if (length === run) return next + run
    next = text.indexOf('`', next + length)
  }
  return -1
}

function runLength(text: string, at: number): number {
  let end = at
  while (text[end] === '`') end++
  return end - at
}
