/** A file that a task names. */
export interface PathMention {
  readonly path: string
  /** Whether it leads out of the work tree it is written in. */
  readonly leaves: boolean
  readonly start: number
  readonly end: number
}

const QUOTED = /`([^`\s]+)`/g
/** Something with a slash or a backslash in it, or behind `~` or a drive; brackets are the templates' own placeholders. */
const BARE = /(?<![\w/\\@.~:-])(?:[A-Za-z]:[\\/]|~[\\/]|\.{1,2}[\\/]|\/)?[\w@.()[\]{}*+-]+(?:[\\/]+[\w@.()[\]{}*+-]+)*[\\/]?/g
/** Most files that are taken from one line. */
const MOST_PATHS = 100
/** How far back a method of HTTP may stand. */
const METHOD_COLUMNS = 40
const METHOD = /\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s+$/
const SYSTEM = /^\/(?:etc|usr|home|var|tmp|opt|root|bin|dev|proc|sys|mnt|Users|private)(?:\/|$)/
const EXTENSION = /\.[A-Za-z][A-Za-z0-9]{0,9}$/

/** Files that a line names: what stands in backticks and looks like one, and what has a slash in it. */
export function readPaths(text: string): readonly PathMention[] {
  if (!/[/\\`]/.test(text)) return []
  const found: PathMention[] = []
  const add = (raw: string, start: number): void => {
    if (found.length >= MOST_PATHS) return
    const path = withoutTail(raw)
    const isTaken = found.some(other => start < other.end && start + path.length > other.start)
    if (!isTaken && looksLikePath(path, text.slice(Math.max(0, start - METHOD_COLUMNS), start)))
      found.push({ path, leaves: leavesRepository(path), start, end: start + path.length })
  }
  for (const match of text.matchAll(QUOTED)) if (match[1]) add(match[1], match.index + 1)
  for (const match of text.matchAll(BARE)) if (/[\\/]/.test(match[0])) add(match[0], match.index)
  return found.sort((one, other) => one.start - other.start)
}

/** A path without the punctuation of the sentence it is in. Brackets are its own when it opens one. */
function withoutTail(raw: string): string {
  const isOwn = /[([]/.test(raw)
  let end = raw.length
  while (end > 0 && (isOwn ? '.,;:' : '.,;:)]').includes(raw[end - 1] ?? '')) end--
  return raw.slice(0, end)
}

/** @param before the columns in front of it */
function looksLikePath(path: string, before: string): boolean {
  if (/^[a-z][\w+.-]+:\/\//i.test(path) || /[a-z]:$/i.test(before)) return false
  // "/api/users" is a route, "and/or" a turn of phrase: a file has an ending or a place of its own.
  if (path.startsWith('/')) return !METHOD.test(before) && (SYSTEM.test(path) || EXTENSION.test(path))
  if (/^(?:~|\.{1,2}|[A-Za-z]:)[\\/]/.test(path)) return true
  return EXTENSION.test(path) || (/^[\w@.-]+\/[\w@./\\-]*\/?$/.test(path) && (path.endsWith('/') || path.split('/').length > 2))
}

function leavesRepository(path: string): boolean {
  if (/^(?:[\\/~]|[A-Za-z]:[\\/])/.test(path)) return true
  let depth = 0
  for (const part of path.split(/[\\/]+/)) {
    if (part === '..') depth--
    else if (part !== '.' && part !== '') depth++
    if (depth < 0) return true
  }
  return false
}
