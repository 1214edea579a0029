/** What has an id in the documents of a feature. */
export type IdKind = 'task' | 'story' | 'requirement' | 'criterion' | 'check'

/** A place where an id stands; columns count UTF-16 code units of the line. */
export interface Mention {
  readonly kind: IdKind
  /** As it is written where it is defined: `User Story 1` is `US1`. */
  readonly id: string
  readonly start: number
  readonly end: number
  /** In code, in a comment or in front matter: renamed with the others, and nothing else. */
  readonly isQuoted: boolean
}

/**
 * Ids end where ASCII words end: in languages that write without spaces a letter may follow at once. `User Story 1` is an id too.
 * A hyphen may stand before an id (`T001-T004`), but not before FR and SC, where it would be a part of another name.
 */
const ID =
  /(?<![A-Za-z0-9_])(?:T\d{1,6}[a-z]?|US-?\d{1,4}|CHK-?\d{1,6}|(?<!-)(?:N?FR|SC)-\d{1,6}[a-z]?|[Uu]ser [Ss]tory \d{1,4})(?![A-Za-z0-9_])/g

export function kindOfId(id: string): IdKind | null {
  if (/^T\d{1,6}[a-z]?$/.test(id)) return 'task'
  if (/^US-?\d{1,4}$/.test(id)) return 'story'
  if (/^N?FR-\d{1,6}[a-z]?$/.test(id)) return 'requirement'
  if (/^SC-\d{1,6}[a-z]?$/.test(id)) return 'criterion'
  return /^CHK-?\d{1,6}$/.test(id) ? 'check' : null
}

/** The id that a written form stands for. */
const idOf = (written: string): string => written.replace(/^user story (\d+)$/i, 'US$1').replace(/^US-/, 'US')

/** How an id is written where `written` stands now: the long form of a story stays the long form. */
export function writtenAs(written: string, id: string): string {
  const number = /^US(\d+)$/.exec(id)?.[1]
  if (number === undefined) return id
  const before = /^(user story |US-)/i.exec(written)?.[0]
  return before === undefined ? id : before + number
}

/** @param plain the line without inline code and comments; what is found elsewhere on it is quoted */
export function readMentions(text: string, plain: string): readonly Mention[] {
  if (!/\d/.test(text)) return NONE
  const mentions: Mention[] = []
  for (const match of text.matchAll(ID)) {
    const start = match.index
    const end = start + match[0].length
    const id = idOf(match[0])
    const kind = kindOfId(id)
    if (kind) mentions.push({ kind, id, start, end, isQuoted: plain.slice(start, end) !== match[0] })
  }
  return mentions.length === 0 ? NONE : mentions
}
const NONE: readonly Mention[] = []
