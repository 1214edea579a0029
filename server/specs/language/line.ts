import { type Block, readBlock } from './blocks.ts'
import { readStatements, type Statement } from './dependencies.ts'
import { kindOfId, type Mention, readMentions } from './ids.ts'
import { type PathMention, readPaths } from './paths.ts'

/** Columns of a line, in UTF-16 code units. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface Heading extends Span {
  readonly level: number
  readonly text: string
}

/** A line with a box. */
export interface Box {
  readonly indent: number
  readonly isTicked: boolean
  /** Column of what stands between the brackets. */
  readonly mark: number
  /** null where there is none, as in `TXXX`. */
  readonly id: (Span & { readonly id: string }) | null
  /** `[P]` */
  readonly isParallel: boolean
  /** `[US1]` */
  readonly story: string | null
  readonly text: string
}

/** An id at the place where the thing itself is described: the start of a list item, a table row or a heading. */
export interface Entry extends Span {
  readonly id: string
  readonly text: string
}

/** One line and what it says, given what it is in. Nothing in it depends on where in the document it stands. */
export interface Line {
  /** As it is, with its end. */
  readonly text: string
  readonly before: Block
  readonly after: Block
  readonly isInert: boolean
  readonly heading: Heading | null
  readonly box: Box | null
  readonly entry: Entry | null
  readonly mentions: readonly Mention[]
  readonly paths: readonly PathMention[]
  readonly statements: readonly Statement[]
  readonly clarifications: readonly Span[]
}

const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/
const BOX = /^([\s>]*)(?:[-*+]|\d{1,9}[.)])[ \t]+\[([ xX])\](?:[ \t]+|$)/
const LABEL = /^[ \t]*\[([^\]]{1,40})\][ \t]*/
const BOX_ID = /^(?:\*\*|__)?((?:T|CHK-?)\d{1,6}[a-z]?)(?:\*\*|__)?(?=[\s:.,\])|—-]|$)[:.]?[ \t]*/
const ENTRY =
  /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?|\|[ \t]*|#{1,6}[ \t]+)(?:\*\*|__)?((?:N?FR|SC)-\d{1,6}[a-z]?)(?![\w-])(?:\*\*|__)?/
const CLARIFICATION = /\[NEEDS CLARIFICATION[^\]]*\]?/g
const BARE_CLARIFICATION = /^[\s>]*(?:[-*+][ \t]+)?\*\*[^*]+\*\*:?[ \t]*:?[ \t]*(NEEDS CLARIFICATION)/
const NOTHING: readonly never[] = []
const SILENT = { heading: null, box: null, entry: null, paths: NOTHING, statements: NOTHING, clarifications: NOTHING }
/** In UTF-16 code units; past it a line is no line of a list. */
const LONGEST_LINE = 10_000

/** Whether a line was too long to be read. */
export const isLong = ({ text }: Pick<Line, 'text'>): boolean => contentOf(text).length > LONGEST_LINE
const contentOf = (text: string): string => text.replace(/(?:\r\n|\n|\r)$/, '')

/** Reads a line. @param text with its end @param before what it is in */
export function readLine(text: string, before: Block): Line {
  const content = contentOf(text)
  const mark = before === 'start' && content.startsWith('\uFEFF') ? 1 : 0
  // A mark of byte order takes a column and is no character: a blank in its place keeps every column right.
  const read = mark ? ` ${content.slice(1)}` : content
  if (content.length > LONGEST_LINE) return longLine(text, content, before)
  const { after, isInert, plain } = mark ? shifted(before, content) : readBlock(before, read)
  const mentions = readMentions(read, plain)
  const bare = { text, before, after, isInert, mentions }
  if (isInert || content === '') return { ...bare, ...SILENT }
  const box = readBox(read, plain)
  const owner = box?.id && kindOfId(box.id.id) === 'task' ? box.id.id : null
  return {
    ...bare,
    heading: readHeading(read),
    box,
    entry: readEntry(read, plain),
    paths: owner === null ? NOTHING : readPaths(read),
    statements: readStatements(plain, mentions, owner),
    clarifications: readClarifications(plain),
  }
}

/** A line too long to have been written as one of a list: it has ids, and says nothing. */
function longLine(text: string, content: string, before: Block): Line {
  const { after, isInert } = readBlock(before, content)
  return { text, before, after, isInert, mentions: readMentions(content, isInert ? '' : content), ...SILENT }
}

/** The first line of a document that begins with a byte order mark. */
function shifted(before: Block, content: string): ReturnType<typeof readBlock> {
  const line = readBlock(before, content.slice(1))
  return { ...line, plain: ` ${line.plain}` }
}

function readHeading(text: string): Heading | null {
  const match = HEADING.exec(text)
  if (!match?.[1]) return null
  const title = match[2] ?? ''
  const start = match[0].indexOf(title, match[0].indexOf('#') + match[1].length)
  return { level: match[1].length, text: title, start, end: start + title.length }
}

function readBox(text: string, plain: string): Box | null {
  const match = BOX.exec(plain)
  if (!match) return null
  const [whole, lead = '', ticked = ' '] = match
  let at = whole.length
  const written = BOX_ID.exec(plain.slice(at))
  const start = written?.[1] ? at + written[0].indexOf(written[1]) : 0
  const id = written?.[1] ? { id: written[1], start, end: start + written[1].length } : null
  at += written?.[0].length ?? 0
  const labels: string[] = []
  for (let label = LABEL.exec(plain.slice(at)); label?.[1] && isLabel(label[1]); label = LABEL.exec(plain.slice(at))) {
    labels.push(label[1])
    at += label[0].length
  }
  const story = labels.map(label => /^US-?(\d{1,4})$/.exec(label)?.[1]).find(number => number !== undefined)
  return {
    indent: lead.length,
    isTicked: ticked !== ' ',
    mark: whole.lastIndexOf(']') - 1,
    id,
    isParallel: labels.some(label => label === 'P'),
    story: story === undefined ? null : `US${story}`,
    text: text.slice(at).trim(),
  }
}

const isLabel = (label: string): boolean => label === 'P' || /^(?:US-?\d{1,4}|Story|[A-Z][A-Za-z]{0,15})$/.test(label)

function readEntry(text: string, plain: string): Entry | null {
  const match = ENTRY.exec(plain)
  if (!match?.[1]) return null
  const start = match[0].lastIndexOf(match[1])
  const rest = text.slice(match[0].length).replace(/^(?:\*\*|__)?[\s:：.|–—-]*(?:\*\*|__)?[\s:：.|–—-]*/, '')
  return { id: match[1], start, end: start + match[1].length, text: rest.replace(/[\s|]+$/, '') }
}

function readClarifications(plain: string): readonly Span[] {
  if (!plain.includes('NEEDS CLARIFICATION')) return NOTHING
  const marked = Array.from(plain.matchAll(CLARIFICATION), match => ({ start: match.index, end: match.index + match[0].length }))
  const bare = BARE_CLARIFICATION.exec(plain)
  if (marked.length > 0 || !bare?.[1]) return marked
  const end = bare[0].length
  return [{ start: end - bare[1].length, end }]
}
