import type { Hover } from 'vscode-languageserver'
import type { SpecJob } from '#shared/model/index.ts'
import { onLine } from './documents.ts'
import type { Pointed } from './navigation.ts'

/** What an id stands for, and how far it is. */
export function hoverOf({ feature, mention, line }: Pointed, jobs: ReadonlyMap<string, SpecJob> | null): Hover | null {
  const lines = describe(feature, mention.id, jobs)
  if (lines.length === 0) return null
  return { contents: { kind: 'markdown', value: lines.join('\n\n') }, range: onLine(line, mention) }
}

function describe(feature: Pointed['feature'], id: string, jobs: ReadonlyMap<string, SpecJob> | null): string[] {
  const task = feature.tasks.find(one => one.id === id)
  if (task) {
    const after = feature.documents.flatMap(({ outline }) => outline.dependencies.flatMap(one => (one.task === id ? [one.after] : [])))
    const facts = [task.phase, task.story, task.box.isParallel ? 'may run at the same time as others' : null]
    return [
      `**${id}** ${task.title}`,
      facts.filter(fact => fact !== null).join(' · '),
      `${task.box.isTicked ? '☑ ticked' : '☐ open'}${jobOf(jobs?.get(id))}`,
      after.length === 0 ? '' : `After ${[...new Set(after)].join(', ')}`,
    ].filter(text => text !== '')
  }
  const requirement = feature.requirements.find(one => one.id === id)
  if (requirement) {
    const tasks = feature.coverage.get(id) ?? []
    const isDone = (task: string): boolean => feature.tasks.some(one => one.id === task && one.box.isTicked)
    const progress = `${tasks.filter(isDone).length} of ${tasks.length} done: ${tasks.join(', ')}`
    return [`**${id}** ${requirement.text}`, tasks.length === 0 ? 'No task names it.' : progress]
  }
  const story = feature.stories.find(one => one.id === id)
  if (story) {
    const tasks = feature.tasks.filter(one => one.story === id)
    const done = tasks.filter(({ box }) => box.isTicked).length
    return [`**${id}** ${story.title}${story.priority === null ? '' : ` (${story.priority})`}`, `${done} of ${tasks.length} tasks done`]
  }
  const check = feature.documents.flatMap(({ outline }) => outline.checks).find(one => one.id === id)
  return check ? [`**${id}** ${check.box.text}`, check.box.isTicked ? '☑ reviewed' : '☐ open'] : []
}

function jobOf(job: SpecJob | undefined): string {
  if (!job) return ''
  return ` · job \`${job.jobId}\` ${job.state}${job.node === null ? '' : ` on ${job.node}`}`
}
