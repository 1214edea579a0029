import { posix } from 'node:path'

/** Something that a person gave along with a request. Lines count from 0. */
export type Given =
  | { readonly kind: 'file'; readonly path: string; readonly lines: readonly [first: number, last: number] | null }
  | { readonly kind: 'text'; readonly name: string; readonly text: string }

export interface Task {
  readonly text: string
  /** Absolute paths of files outside of the repository, which an agent would not find. */
  readonly outside: readonly string[]
}

/** Most of each text that is taken along, characters. */
const MOST_TEXT = 20_000

/** The path of a file as an agent finds it in its copy of the repository; null outside of it. */
export function pathInside(folder: string, path: string): string | null {
  const inside = posix.relative(folder, path)
  return inside === '' || inside === '..' || inside.startsWith('../') || posix.isAbsolute(inside) ? null : inside
}

/** What an agent is told: the request, then the files and texts that were given with it. @param folder of the repository, absolute */
export function taskOf(prompt: string, given: readonly Given[], folder: string): Task {
  const files = new Set<string>()
  const texts: string[] = []
  const outside: string[] = []
  for (const item of given) {
    if (item.kind === 'text') {
      if (item.text.trim() !== '') texts.push(`${oneLine(item.name)}:\n${indented(item.text.slice(0, MOST_TEXT))}`)
      continue
    }
    const path = pathInside(folder, item.path)
    if (path === null) outside.push(item.path)
    else files.add(`- ${oneLine(path)}${linesOf(item.lines)}`)
  }
  const parts = [prompt.trim()]
  if (files.size > 0) parts.push(`Files that this is about:\n${[...files].join('\n')}`)
  if (texts.length > 0) parts.push(`Given along with it:\n\n${texts.join('\n\n')}`)
  return { text: parts.filter(part => part !== '').join('\n\n'), outside }
}

function linesOf(lines: readonly [number, number] | null): string {
  if (lines === null) return ''
  const [first, last] = lines
  return first === last ? ` (line ${first + 1})` : ` (lines ${first + 1} to ${last + 1})`
}

/** A name of a file may hold line ends; it stays one item. */
const oneLine = (text: string): string => text.replaceAll(/[\u0000-\u001F\u007F]+/g, ' ')
const indented = (text: string): string => text.replaceAll(/^/gm, '    ')
