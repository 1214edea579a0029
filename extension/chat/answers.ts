import type { Job, JobSummary, Peer, SpecFeature, SpecFeatureSummary, SpecTask } from '#shared/model/index.ts'
import { ago } from '../rows/elapsed.ts'
import { stateName } from '../rows/job-row.ts'
import { plainMarkdown } from '../rows/plain.ts'
import type { Translate } from '../rows/row.ts'
import type { Self } from '../state/fleet.ts'
import { resultText } from './story.ts'

/** Most rows of a table in an answer. */
export const MOST_ROWS = 20

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => ':--')), ...rows.map(line)].join('\n')
}
/** One of a list: its name, and what there is to say of it. */
const item = (name: string, facts: readonly (string | null)[]): string =>
  `- **${name}** ${facts.filter(fact => fact !== null).join(' · ')}`
const more = (all: number, t: Translate): string => (all > MOST_ROWS ? `\n\n${t('and {0} more', all - MOST_ROWS)}` : '')

/** Jobs that fit all the words; the newest first, as they came. A list: a chat is narrow. */
export function jobsAnswer(jobs: readonly JobSummary[], words: readonly string[], now: number, t: Translate): string {
  if (jobs.length === 0) return words.length === 0 ? t('There are no jobs yet.') : t('No job among the newest has these words.')
  const rows = jobs
    .slice(0, MOST_ROWS)
    .map(({ title, state, createdAt, agent }) =>
      item(plainMarkdown(title, 80), [stateName(state, t), plainMarkdown(agent), ago(createdAt, now, t)]),
    )
  return rows.join('\n') + more(jobs.length, t)
}

export const fitsWords = ({ title, id, agent }: JobSummary, words: readonly string[]): boolean => {
  const text = `${title} ${id} ${agent}`.toLowerCase()
  return words.every(word => text.includes(word))
}

export function jobAnswer({ title, state, failure, result, createdAt, spec }: Job, now: number, t: Translate): string {
  const parts = [
    `**${plainMarkdown(title)}**`,
    t('{0}, asked {1}, for the agent {2}', stateName(state, t), ago(createdAt, now, t), plainMarkdown(spec.agent)),
  ]
  if (failure) parts.push(t('The job failed: {0}', plainMarkdown([failure.detail, failure.remedy ?? ''].join(' '))))
  if (result) parts.push(resultText(result, t))
  return parts.join('\n\n')
}

export function featuresAnswer(features: readonly SpecFeatureSummary[], t: Translate): string {
  if (features.length === 0) return t('There are no Spec Kit documents in this folder: none in specs/.')
  const rows = features
    .slice(0, MOST_ROWS)
    .map(({ feature, title, coverage }) => [
      plainMarkdown(feature),
      plainMarkdown(title, 80),
      `${coverage.done}/${coverage.tasks}`,
      `${coverage.covered}/${coverage.requirements}`,
      `${coverage.problems + coverage.clarifications}`,
    ])
  const head = [t('Feature'), t('Title'), t('Tasks done'), t('Requirements covered'), t('Open questions and problems')]
  return table(head, rows) + more(features.length, t)
}

export function featureAnswer({ title, coverage, tasks, problems }: SpecFeature, t: Translate): string {
  const open = tasks.filter(({ isDone }) => !isDone)
  const parts = [
    `**${plainMarkdown(title)}**`,
    t(
      '{0} of {1} tasks are done; {2} of {3} requirements have a task; {4} clarifications are open.',
      coverage.done,
      coverage.tasks,
      coverage.covered,
      coverage.requirements,
      coverage.clarifications,
    ),
  ]
  if (open.length > 0) {
    const rows = open.slice(0, MOST_ROWS).map(task => [task.id, plainMarkdown(task.title, 100), taskState(task, t)])
    parts.push(table([t('Task'), t('Title'), t('State')], rows) + more(open.length, t))
  }
  const severe = problems.filter(({ severity }) => severity === 'error' || severity === 'warning')
  if (severe.length > 0)
    parts.push(
      severe
        .slice(0, MOST_ROWS)
        .map(({ message }) => `- ${plainMarkdown(message)}`)
        .join('\n') + more(severe.length, t),
    )
  return parts.join('\n\n')
}

function taskState({ isDone, job }: SpecTask, t: Translate): string {
  if (isDone) return t('done')
  if (job === null) return t('open')
  return job.node === null ? stateName(job.state, t) : t('{0} on {1}', stateName(job.state, t), plainMarkdown(job.node))
}

export function taskAnswer(task: SpecTask, t: Translate): string {
  const facts = [
    `- ${t('State')}: ${taskState(task, t)}`,
    ...(task.story === null ? [] : [`- ${t('Story')}: ${plainMarkdown(task.story)}`]),
    ...(task.phase === null ? [] : [`- ${t('Phase')}: ${plainMarkdown(task.phase)}`]),
    ...(task.after.length === 0 ? [] : [`- ${t('After')}: ${plainMarkdown(task.after.join(', '))}`]),
    ...(task.paths.length === 0 ? [] : [`- ${t('Files')}: ${plainMarkdown(task.paths.join(', '))}`]),
  ]
  return `**${plainMarkdown(task.id)}** ${plainMarkdown(task.title)}\n\n${facts.join('\n')}`
}

export function peersAnswer(self: Pick<Self, 'node' | 'drain'> | null, peers: readonly Peer[], t: Translate): string {
  const here = self
    ? [item(plainMarkdown(self.node), [t('this machine'), self.drain?.draining ? t('draining') : t('works')])]
    : []
  const rows = peers
    .slice(0, MOST_ROWS)
    .map(({ name, state, card, runsOurs, problem }) =>
      item(plainMarkdown(name), [
        state === 'online' ? t('online') : t('offline'),
        problem === null ? null : plainMarkdown(problem, 120),
        card?.draining ? t('draining') : runsOurs ? t('takes our jobs') : t('takes none of our jobs'),
        card && t('{0} of {1} in use, {2} jobs wait', card.busy, card.slots, card.queued),
        card && card.models.length > 0 ? plainMarkdown(card.models.slice(0, 5).join(', '), 120) : null,
      ]),
    )
  const alone = peers.length === 0 ? `\n\n${t('No other machine is known. *Skein: Add Peer* pairs one.')}` : ''
  return [...here, ...rows].join('\n') + more(peers.length, t) + alone
}
