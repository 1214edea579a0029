import { sanitizeLine, sanitizeTerminal } from '#shared/model/sanitize.ts'

/** One line of what an agent or a stranger wrote, with nothing in it that reorders or hides what is shown. */
export const visible = (text: string): string => sanitizeLine(text)

/** The same for text of many lines. */
export const visibleText = (text: string): string => sanitizeTerminal(text)

/** Its beginning, when it is longer than anybody reads and a page can lay out in a moment. @param most characters */
export const beginningOf = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most)} …`)
