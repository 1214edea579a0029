import { backgroundOf, FLAGS, foregroundOf, rgbOf, type Style, segmentsOf } from './ansi.ts'
import { rangesOf } from './search.ts'

const CLASSES: readonly (readonly [flag: number, name: string])[] = [
  [FLAGS.bold, 'bold'],
  [FLAGS.dim, 'faint'],
  [FLAGS.italic, 'italic'],
  [FLAGS.underline, 'underline'],
  [FLAGS.struck, 'struck'],
]

/** The nodes of one line. Text goes in as text: nothing in a log can become markup. */
export function rowContent(document: Document, line: string, style: Style, query: string): DocumentFragment {
  const fragment = document.createDocumentFragment()
  const segments = segmentsOf(line, style)
  const marks = rangesOf(segments.map(({ text }) => text).join(''), query)
  let at = 0
  for (const segment of segments) {
    for (const { text, isMarked } of cut(segment.text, at, marks)) fragment.append(piece(document, text, segment.style, isMarked))
    at += segment.text.length
  }
  return fragment
}

/** Text in parts that are marked or not. @param at where it begins in its line */
export function cut(
  text: string,
  at: number,
  marks: readonly (readonly [from: number, to: number])[],
): { readonly text: string; readonly isMarked: boolean }[] {
  const parts: { text: string; isMarked: boolean }[] = []
  const put = (from: number, to: number, isMarked: boolean) => {
    if (to > from) parts.push({ text: text.slice(from, to), isMarked })
  }
  let done = 0
  for (const [from, to] of marks) {
    const [start, end] = [Math.max(from - at, done), Math.min(to - at, text.length)]
    if (end <= start) continue
    put(done, start, false)
    put(start, end, true)
    done = end
  }
  put(done, text.length, false)
  return parts
}

function piece(document: Document, text: string, style: Style, isMarked: boolean): Node {
  if (style === 0 && !isMarked) return document.createTextNode(text)
  const element = document.createElement(isMarked ? 'mark' : 'span')
  element.textContent = text
  for (const [flag, name] of CLASSES) if (style & flag) element.classList.add(name)
  const isInverse = (style & FLAGS.inverse) !== 0
  const [front, back] = isInverse ? [backgroundOf(style), foregroundOf(style)] : [foregroundOf(style), backgroundOf(style)]
  if (isInverse && front === null) element.classList.add('inverse-front')
  if (isInverse && back === null) element.classList.add('inverse-back')
  if (front !== null) element.style.color = colour(front)
  if (back !== null) element.style.backgroundColor = colour(back)
  return element
}

const NAMES = ['Black', 'Red', 'Green', 'Yellow', 'Blue', 'Magenta', 'Cyan', 'White']

/** The first sixteen are the theme's. */
function colour(index: number): string {
  if (index >= 16) return `rgb(${rgbOf(index).join(' ')})`
  return `var(--vscode-terminal-ansi${index >= 8 ? 'Bright' : ''}${NAMES[index % 8]})`
}
