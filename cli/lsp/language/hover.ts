import { type Hover, MarkupKind } from 'vscode-languageserver/node'
import { checksText, isEnd, isEvidence, type SpecJob } from '#shared/model/index.ts'
import { onLine } from './documents.ts'
import type { TaskJobs } from './jobs.ts'
import type { Pointed } from './navigation.ts'
import type { WorkspaceFeature } from './workspace.ts'

/** Text of a document or of another node, which may be anybody's. */
type Quote = (text: string) => string

/** What an id stands for, and how far it is. @param isMarkdown whether the editor shows Markdown */
export function hoverOf({ feature, mention, line }: Pointed, jobs: TaskJobs, isMarkdown: boolean): Hover | null {
  const quote: Quote = isMarkdown ? escapeMarkdown : text => text
  const strong = (text: string): string => (isMarkdown ? `**${text}**` : text)
  const about = describe(feature, mention.id, jobs, quote)
  if (!about) return null
  const value = [`${strong(mention.id)} ${about.title}`, ...about.facts].join('\n\n')
  return { contents: { kind: isMarkdown ? MarkupKind.Markdown : MarkupKind.PlainText, value }, range: onLine(line, mention) }
}

interface About {
  readonly title: string
  readonly facts: readonly string[]
}

function describe(feature: WorkspaceFeature, id: string, jobs: TaskJobs, quote: Quote): About | null {
  const task = feature.tasks.find(one => one.id === id)
  if (task) {
    const { phase, story, box } = task
    const place = [phase, story].filter(fact => fact !== null).map(quote)
    if (box.isParallel) place.push('may run at the same time as others')
    const after = new Set(
      feature.documents.flatMap(({ outline }) => outline.dependencies.filter(one => one.task === id)).map(one => one.after),
    )
    const job = jobs?.get(id)
    return {
      title: quote(task.title),
      facts: [
        ...(place.length > 0 ? [place.join(' · ')] : []),
        boxed(box.isTicked, 'ticked'),
        ...(after.size > 0 ? [`After ${[...after].join(', ')}`] : []),
        ...(job ? [jobOf(job, quote)] : []),
      ],
    }
  }
  const requirement = feature.requirements.find(one => one.id === id)
  if (requirement) return { title: quote(requirement.text), facts: [progress(feature, feature.coverage.get(id) ?? [])] }
  const story = feature.stories.find(one => one.id === id)
  if (story) {
    const ids = feature.tasks.filter(one => one.story === id).map(one => one.id)
    return {
      title: quote(story.title) + (story.priority === null ? '' : ` (${story.priority})`),
      facts: [progress(feature, ids)],
    }
  }
  const check = feature.documents.flatMap(({ outline }) => outline.checks).find(one => one.id === id)
  return check ? { title: quote(check.box.text), facts: [boxed(check.box.isTicked, 'reviewed')] } : null
}

const boxed = (isTicked: boolean, word: string): string => (isTicked ? `☑ ${word}` : '☐ open')

/** Most ids that are named; what is more is counted. */
const MOST_NAMED = 20

function progress({ tasks }: WorkspaceFeature, ids: readonly string[]): string {
  if (ids.length === 0) return 'No task is for it.'
  const ticked = new Set(tasks.filter(({ box }) => box.isTicked).map(({ id }) => id))
  const named = ids.slice(0, MOST_NAMED).join(', ')
  const more = ids.length > MOST_NAMED ? ` and ${ids.length - MOST_NAMED} more` : ''
  return `${ids.filter(id => ticked.has(id)).length} of ${ids.length} tasks done: ${named}${more}`
}

/** State and evidence of a job. */
function jobOf(job: SpecJob, quote: Quote): string {
  const { jobId, state, node, checks } = job
  const where = node === null ? '' : ` on ${quote(node)}`
  const said = `Job ${jobId}: ${state}${where}`
  if (!isEnd(state)) return said
  if (checks.all === 0) return `${said} · no checks: nothing proves it`
  const counted = `${said} · ${checks.green} of ${checks.all} checks green${isEvidence(job) ? ' · ✓ proven' : ''}`
  const stale = job.wording === 'same' ? [] : [WORDINGS[job.wording]]
  return [counted, ...stale, `Checks: ${quote(checksText(job))}`].join('\n\n')
}

const WORDINGS = {
  changed: 'The task asks for something else than when this job was made for it: nothing proves it.',
  unknown: 'What the task asked for when this job was made is not known: nothing proves it.',
} as const

/** Shows a text as it is: neither an image of it is fetched nor a link of it made. */
const escapeMarkdown = (text: string): string => text.replaceAll(/[\\`*_{}[\]()#+\-.!<>|~&:]/g, '\\$&').replaceAll(/\s+/g, ' ')
