import type { FeatureDocument } from '../analysis/index.ts'
import type { TextEdit } from '../language/index.ts'
import { SpecEditError } from './base.ts'

/** Ticks the box of a task, or clears it: one character, or nothing when it is so already. @throws {SpecEditError} */
export function tick(documents: readonly FeatureDocument[], id: string, isDone: boolean): { path: string; edits: TextEdit[] } {
  const found = documents.flatMap(({ path, document, outline }) =>
    outline.tasks.filter(task => task.id === id).map(task => ({ path, document, task })),
  )
  const [first, second] = found
  if (!first) throw new SpecEditError('no_such_id', `There is no task ${id}.`, 'The tasks of a feature are in its tasks.md.')
  if (second)
    throw new SpecEditError(
      'ambiguous_id',
      `There are ${found.length} tasks ${id}; which is meant cannot be told.`,
      'Number them anew.',
    )
  const { path, document, task } = first
  if (task.box.isTicked === isDone) return { path, edits: [] }
  const start = (document.starts[task.line] ?? 0) + task.box.mark
  return { path, edits: [{ start, end: start + 1, text: isDone ? 'x' : ' ' }] }
}
