import type { JobId, JobState, JobSummary } from '#shared/model/index.ts'
import type { Handling } from '../state/handled.ts'
import type { JobEntry } from '../state/job-entry.ts'
import { hasEnded } from '../state/job-states.ts'
import { ago, duration } from './elapsed.ts'
import { plainLine, plainMarkdown } from './plain.ts'
import type { Row, Translate } from './row.ts'

/** Codicon and theme colour of a state. */
export const JOB_ICONS: Readonly<Record<JobState, readonly [icon: string, color: string | null]>> = {
  queued: ['clock', 'testing.iconQueued'],
  placing: ['search', 'charts.blue'],
  preparing: ['package', 'charts.blue'],
  running: ['sync~spin', 'charts.blue'],
  checking: ['beaker', 'charts.blue'],
  succeeded: ['pass', 'testing.iconPassed'],
  failed: ['error', 'testing.iconFailed'],
  cancelled: ['circle-slash', 'testing.iconSkipped'],
}

export function stateName(state: JobState, t: Translate): string {
  switch (state) {
    case 'queued':
      return t('waiting')
    case 'placing':
      return t('looking for a node')
    case 'preparing':
      return t('preparing')
    case 'running':
      return t('running')
    case 'checking':
      return t('checking')
    case 'succeeded':
      return t('succeeded')
    case 'failed':
      return t('failed')
    case 'cancelled':
      return t('cancelled')
  }
}

/** What a row is written with, besides the job. */
export interface Look {
  readonly now: () => number
  readonly t: Translate
  /** What the person did with its result. */
  readonly handling: (id: JobId) => Handling | undefined
}

function handlingName(handling: Handling, t: Translate): string {
  return handling === 'applied' ? t('applied') : t('discarded')
}

/** How long it runs, or ran; null before it started. */
function lasted({ startedAt, endedAt }: JobSummary, now: number, t: Translate): string | null {
  if (startedAt === null) return null
  return duration((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt), t)
}

/** What stands behind the title: for one that works its progress and time, for one that is over how it ended and when. */
export function jobDescription({ summary, progress, node, question, doing }: JobEntry, look: Look): string {
  const { t } = look
  const now = look.now()
  const { id, state, endedAt, failure } = summary
  const handling = look.handling(id)
  const words = hasEnded(state)
    ? [
        handling ? handlingName(handling, t) : null,
        failure ? plainLine(failure.detail, 80) : lasted(summary, now, t),
        endedAt === null ? null : ago(endedAt, now, t),
      ]
    : [
        question ? t('asks: {0}', plainLine(question.title, 60)) : state === 'running' ? null : stateName(state, t),
        progress ? `${progress.done}/${progress.total}` : null,
        lasted(summary, now, t),
        node === null ? null : t('on {0}', plainLine(node, 40)),
        doing === null || question ? null : plainLine(doing, 60),
      ]
  return words.filter(word => word !== null).join(' · ')
}

/** Words for menus: `job` always, then what can be done with it. */
function context({ summary, question, hasChanges }: JobEntry, handling: Handling | undefined): string {
  const words = ['job', hasEnded(summary.state) ? 'ended' : 'active']
  if (question) words.push('question')
  // Of jobs from before the editor was there it is not known until they are asked for.
  if (handling !== 'discarded' && (hasChanges ?? summary.state === 'succeeded')) words.push('result')
  return words.join(' ')
}

/** @param id of the row; the same job may stand in more than one place */
export function jobRow(entry: JobEntry, look: Look, id: string = entry.summary.id): Row {
  const { summary, question } = entry
  const [icon, color] = question ? (['question', 'list.warningForeground'] as const) : JOB_ICONS[summary.state]
  return {
    id,
    label: plainLine(summary.title) || summary.id,
    description: jobDescription(entry, look),
    icon,
    ...(color === null ? {} : { color }),
    context: context(entry, look.handling(summary.id)),
    job: summary.id,
  }
}

export function jobTooltip(entry: JobEntry, look: Look): string {
  const { t } = look
  const now = look.now()
  const { summary, node, progress, doing, question } = entry
  const rows: [string, string | null][] = [
    [t('State'), stateName(summary.state, t) + (summary.epoch > 1 ? ` (${t('attempt {0}', summary.epoch)})` : '')],
    [t('Asks'), question ? plainMarkdown(`${question.title}: ${question.detail}`) : null],
    [t('Does'), doing === null ? null : plainMarkdown(doing)],
    [t('Plan'), progress ? t('{0} of {1} steps', progress.done, progress.total) : null],
    [t('Why'), summary.failure ? plainMarkdown(summary.failure.detail) : null],
    [t('What to do'), summary.failure?.remedy === undefined ? null : plainMarkdown(summary.failure.remedy)],
    [t('Time'), lasted(summary, now, t)],
    [t('Node'), node === null ? null : plainMarkdown(node)],
    [t('Agent'), plainMarkdown(summary.agent)],
    [t('Repository'), summary.repository === null ? null : plainMarkdown(summary.repository)],
    [t('Asked'), ago(summary.createdAt, now, t)],
    [t('Id'), `\`${summary.id}\``],
  ]
  const lines = rows.filter(([, value]) => value !== null).map(([name, value]) => `| ${name} | ${value} |`)
  return `**${plainMarkdown(summary.title)}**\n\n| | |\n|:--|:--|\n${lines.join('\n')}`
}
