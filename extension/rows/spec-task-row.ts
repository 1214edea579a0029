import { checksText, isEvidence } from '#shared/model/evidence.ts'
import type { SpecFeature, SpecJob, SpecTask } from '#shared/model/index.ts'
import { hasEnded } from '../state/job-states.ts'
import { JOB_ICONS, stateName } from './job-row.ts'
import { plainLine, plainMarkdown } from './plain.ts'
import type { Row, Translate } from './row.ts'

/** Words for menus: `task` always, then how it stands, and what can be done with it. */
function context({ isDone, job }: SpecTask): string {
  const words = ['task written', isDone ? 'ticked' : 'open']
  if (job) words.push('tried', hasEnded(job.state) ? 'ended' : 'active')
  if (!isDone && (!job || hasEnded(job.state))) words.push('runnable')
  if (job?.state === 'succeeded') words.push('result')
  // What is proven is to be ticked rather than run once more.
  if (!isDone && job && isEvidence(job)) words.push('proven')
  else if (words.includes('runnable')) words.push('todo')
  return words.join(' ')
}

/** A box that is ticked is the person's word and stands before what a job says, unless one is at work on it. */
function icon({ isDone, job }: SpecTask): readonly [icon: string, color: string | null] {
  if (job && !hasEnded(job.state)) return JOB_ICONS[job.state]
  if (isDone) return job && isEvidence(job) ? ['pass-filled', 'testing.iconPassed'] : ['check', null]
  if (!job || job.state === 'cancelled') return ['circle-large-outline', null]
  if (job.state === 'succeeded') return isEvidence(job) ? ['pass', 'testing.iconPassed'] : ['question', 'list.warningForeground']
  return JOB_ICONS[job.state]
}

/** How the newest job of a task stands, in words. */
function standing(job: SpecJob, isDone: boolean, t: Translate): string {
  const { state, node, checks } = job
  if (isEvidence(job)) return isDone ? t('proven') : t('proven, not ticked yet')
  if (state === 'succeeded' && checks.all > 0 && job.wording !== 'same') return t('succeeded, for other words than these')
  if (state === 'succeeded') return checks.all === 0 ? t('succeeded, nothing proves it') : stateName(state, t)
  return node === null || hasEnded(state) ? stateName(state, t) : t('{0} on {1}', stateName(state, t), plainLine(node, 40))
}

/** Stands behind the id of a task: what its box does not say. */
function description({ isDone, job }: SpecTask, t: Translate): string {
  if (job) return standing(job, isDone, t)
  return isDone ? t('ticked by hand') : ''
}

/** @param repository work tree of its feature */
export function taskRow(task: SpecTask, { id, repository, t }: { id: string; repository: string; t: Translate }): Row {
  const [name, color] = icon(task)
  return {
    id,
    label: plainLine(`${task.id} ${task.title}`),
    description: description(task, t),
    icon: name,
    ...(color === null ? {} : { color }),
    context: context(task),
    place: { repository, path: task.path, line: task.line },
  }
}

/** Most ids that are named; what is more is counted. */
const MOST_NAMED = 20

export function named(ids: readonly string[], t: Translate): string {
  const some = ids
    .slice(0, MOST_NAMED)
    .map(id => plainMarkdown(id, 64))
    .join(', ')
  return ids.length > MOST_NAMED ? t('{0} and {1} more', some, ids.length - MOST_NAMED) : some
}

/** A table of what is known. Rows without a value are left out. */
export function factTable(title: string, rows: readonly (readonly [string, string | null])[]): string {
  const lines = rows.filter(([, value]) => value !== null && value !== '').map(([name, value]) => `| ${name} | ${value} |`)
  return `**${title}**\n\n| | |\n|:--|:--|\n${lines.join('\n')}`
}

export function taskTooltip(task: SpecTask, feature: SpecFeature, t: Translate): string {
  const { id, title, isDone, isParallel, story, phase, after, paths, path, line, job } = task
  const covers = [...feature.requirements, ...feature.criteria].filter(({ tasks }) => tasks.includes(id)).map(one => one.id)
  const open = new Set(feature.tasks.filter(one => !one.isDone).map(one => one.id))
  return factTable(plainMarkdown(`${id} ${title}`), [
    [t('In the file'), isDone ? t('☑ ticked') : t('☐ open')],
    [t('By its job'), job ? plainMarkdown(standing(job, isDone, t)) : t('no job was for it')],
    [t('Checks'), job && hasEnded(job.state) ? t('{0} of {1} green', job.checks.green, job.checks.all) : null],
    [t('Says so'), job && job.commands.length > 0 ? plainMarkdown(checksText(job)) : null],
    [t('Job'), job ? `\`${job.jobId}\`` : null],
    [t('Node'), job?.node == null ? null : plainMarkdown(job.node)],
    [t('Part of'), [story, phase].flatMap(one => (one === null ? [] : plainMarkdown(one))).join(' · ')],
    [t('At the same time'), isParallel ? t('it may run beside others') : null],
    [
      t('After'),
      named(
        after.map(one => (open.has(one) ? `${one} ☐` : `${one} ☑`)),
        t,
      ),
    ],
    [t('Covers'), named(covers, t)],
    [t('Files'), named(paths, t)],
    [t('Stands in'), plainMarkdown(`${path}:${line + 1}`)],
  ])
}
