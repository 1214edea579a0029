import { type DiffStat, type FileChange, sanitizeLine } from '#shared/model/index.ts'
import type { Paint } from '../terminal.ts'

const LETTERS: Record<FileChange['status'], string> = {
  added: 'A',
  modified: 'M',
  deleted: 'D',
  renamed: 'R',
  copied: 'C',
  'type-changed': 'T',
}
const FILES_SHOWN = 20

/** `2 files, +10 −3` */
export function renderTotals({ files, insertions, deletions }: DiffStat, paint: Paint): string {
  if (files === 0) return 'no changes'
  return `${files} ${files === 1 ? 'file' : 'files'}, ${paint('green', `+${insertions}`)} ${paint('red', `−${deletions}`)}`
}

/** One line a file, the first twenty of them unless all are wanted. */
export function renderChanges({ files, changes }: DiffStat, paint: Paint, shown = FILES_SHOWN): string[] {
  const lines = changes.slice(0, shown).map(change => {
    const path =
      change.oldPath === null ? sanitizeLine(change.path) : `${sanitizeLine(change.oldPath)} → ${sanitizeLine(change.path)}`
    const counts =
      change.insertions === null || change.deletions === null
        ? paint('dim', 'binary')
        : `${paint('green', `+${change.insertions}`)} ${paint('red', `−${change.deletions}`)}`
    return `${LETTERS[change.status]} ${path}  ${counts}`
  })
  return files > lines.length ? [...lines, paint('dim', `… and ${files - lines.length} more`)] : lines
}
