import { type Feature, nextId, type Problem } from '../analysis/index.ts'
import type { TextEdit } from '../language/index.ts'

/** A way to mend a problem. */
export interface Fix {
  readonly title: string
  readonly path: string
  readonly edits: readonly TextEdit[]
}

/** What can be done about a problem by an edit; nothing, where only a person knows. */
export function fixesFor(feature: Feature, problem: Problem): Fix[] {
  const file = feature.documents.find(({ path }) => path === problem.path)
  const start = (file?.document.starts[problem.line] ?? 0) + problem.start
  const end = start + problem.end - problem.start
  const edit = (title: string, one: TextEdit): Fix[] => [{ title, path: problem.path, edits: [one] }]
  switch (problem.code) {
    case 'missing-id': {
      const id = nextId(feature, file?.kind === 'checklist' ? 'check' : 'task')
      const text = file?.document.lines[problem.line]?.text.slice(problem.end) ?? ''
      const placeholder = /^\s+(?:T|CHK)X+\b/.exec(text)?.[0] ?? ''
      return edit(`Give it the id ${id}`, { start: end, end: end + placeholder.length, text: ` ${id}` })
    }
    case 'duplicate-id': {
      const kind = feature.definitions.get(problem.id ?? '')?.[0]?.kind
      if (kind === undefined || kind === 'story') return []
      const id = nextId(feature, kind)
      return edit(`Number it ${id}`, { start, end, text: id })
    }
    case 'done-without-job':
      return edit('Clear the box', { start: start + 1, end: start + 2, text: ' ' })
    case 'requirement-without-task':
      return addTask(feature, problem.id ?? '')
    case 'unknown-id':
    case 'path-outside':
    case 'dependency-cycle':
    case 'needs-clarification':
    case 'too-large':
      return []
  }
}

/** A task for a requirement, after the last one there is. */
function addTask(feature: Feature, requirement: string): Fix[] {
  const last = feature.tasks.at(-1)
  const document = feature.documents.find(({ path }) => path === last?.path)?.document
  const line = last && document?.lines[last.line]
  const text = feature.requirements.find(({ id }) => id === requirement)?.text ?? ''
  if (!last || !document || !line) return []
  const id = nextId(feature, 'task')
  const content = line.text.replace(/[\r\n]+$/, '')
  const end = /[\r\n]+$/.exec(document.lines[0]?.text ?? '')?.[0] ?? '\n'
  const lead = /^[\s>]*(?:[-*+])?/.exec(content)?.[0] || '-'
  const at = (document.starts[last.line] ?? 0) + content.length
  const added = `${end}${lead.trimEnd() === lead ? lead : '-'} [ ] ${id} Implement ${requirement}: ${text}`
  return [{ title: `Add task ${id} for ${requirement}`, path: last.path, edits: [{ start: at, end: at, text: added }] }]
}
