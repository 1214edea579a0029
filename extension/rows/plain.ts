/** Control characters, and marks that reorder or hide what is shown. */
const HIDDEN = /[\u0000-\u001F\u007F-\u009F\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF]+/g

/** One line of somebody else's text, cut to a length: agents, specs and other nodes wrote it. */
export function plainLine(text: string, longest = 200): string {
  const line = text
    .slice(0, longest * 4)
    .replaceAll(HIDDEN, ' ')
    .trim()
  return line.length > longest ? `${line.slice(0, longest - 1).trimEnd()}…` : line
}

/**
 * The same for a notification. The editor makes links of `[text](command:…)` in those, so that a text could run a command: here the
 * brackets come apart.
 */
export const plainNotice = (text: string): string => plainLine(text, 500).replaceAll('](', '] (')

/** The same for a list to pick from: the editor makes pictures of `$(name)` there, a seal among them. */
export const plainLabel = (text: string, longest?: number): string => plainLine(text, longest).replaceAll('$(', '$ (')

/** The same as Markdown that says what it says: no links, pictures, code or headings of its own. */
export const plainMarkdown = (text: string, longest = 500): string =>
  plainLine(text, longest).replaceAll(/[\\`*_{}[\]()#+\-.!<>|~&$:]/g, '\\$&')

/** Control characters and marks that hide or reorder, but for ends of lines and tabs. */
const HIDDEN_IN_TEXT = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF]+/g

/** Somebody else's text of several lines, as Markdown that says what it says: every mark that Markdown knows is escaped. */
export function plainMarkdownText(text: string, longest = 20_000): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text
  return (
    cut
      .replaceAll(/\r\n?/g, '\n')
      .replaceAll(HIDDEN_IN_TEXT, '')
      .replaceAll(/[!-/:-@[-`{-~]/g, '\\$&')
      .replaceAll(/[ \t]*\n[ \t]*/g, '  \n')
      // Four of them would begin a block of code, in which a mark is not escaped but shown.
      .replace(/^[ \t]+/, ' ')
      .replaceAll(/(?: {2}\n){2,}/g, '\n\n')
  )
}
