import type { EventBody, Result } from '#shared/model/index.ts'
import { stateName } from '../rows/job-row.ts'
import { plainMarkdown, plainMarkdownText } from '../rows/plain.ts'
import type { Translate } from '../rows/row.ts'
import { hasEnded } from '../state/job-states.ts'

/** Something to be said in an answer of the chat. Texts are Markdown in which nothing of an agent is left that Markdown would obey. */
export type Saying =
  /** What goes on now; the next one takes its place. */
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  /** A button for what can be done with the job now. */
  | { readonly kind: 'button'; readonly action: 'answer' | 'review' | 'retry' }

/** What is told of a job, from its events in their order. */
export interface Story {
  tell(body: EventBody): readonly Saying[]
  /** How it ended, once it did. */
  readonly outcome: 'succeeded' | 'failed' | 'cancelled' | null
  readonly hasChanges: boolean
}

/** Most names of changed files that are listed. */
const MOST_FILES = 20

const progress = (text: string): Saying => ({ kind: 'progress', text })
const paragraph = (text: string): Saying => ({ kind: 'text', text: `\n\n${text}\n\n` })

export function createStory(t: Translate): Story {
  let outcome: Story['outcome'] = null
  let hasChanges = false
  /** Whether a message of the agent was the last thing said: another one goes on in the same line. */
  let isSpeaking = false
  let lastProgress = ''
  const tools = new Set<string>()

  function sayings(body: EventBody): readonly Saying[] {
    switch (body.type) {
      case 'job.state':
        if (body.to === 'succeeded' || body.to === 'failed' || body.to === 'cancelled') outcome = body.to
        return ofState(body, hasChanges, t)
      case 'attempt.started':
        return [progress(attemptText(body, t))]
      case 'attempt.placed':
        return [progress(t('Works on {0}', plainMarkdown(body.name)))]
      case 'attempt.lost':
        return [paragraph(t('The attempt was lost, and is made again: {0}', plainMarkdown(body.reason)))]
      case 'attempt.returned':
        return [paragraph(t('The attempt came back undone: {0}', plainMarkdown(body.reason)))]
      case 'agent.message':
        return [{ kind: 'text', text: `${isSpeaking ? '' : '\n\n'}${plainMarkdownText(body.text)}` }]
      case 'agent.plan': {
        const done = body.entries.filter(({ status }) => status === 'completed').length
        const now = body.entries.find(({ status }) => status === 'in_progress')
        return [progress(t('Step {0} of {1}: {2}', done, body.entries.length, plainMarkdown(now?.content ?? '', 120)))]
      }
      case 'agent.tool': {
        if (tools.has(body.toolCallId)) return []
        tools.add(body.toolCallId)
        return [progress(plainMarkdown(body.title, 120))]
      }
      case 'permission.requested':
        return [
          paragraph(t('The agent asks: **{0}** — {1}', plainMarkdown(body.title), plainMarkdown(body.detail))),
          { kind: 'button', action: 'answer' },
        ]
      case 'check.started':
        return body.phase === 'result' ? [progress(t('Checks: {0}', plainMarkdown(commandText(body.argv), 120)))] : []
      case 'result.accepted':
        hasChanges = body.result.commit !== null
        return [paragraph(resultText(body.result, t))]
      case 'warning':
        return [paragraph(t('Warning: {0}', plainMarkdown(body.detail)))]
      default:
        return []
    }
  }
  return {
    tell(body) {
      const said = sayings(body).filter(saying => {
        if (saying.kind !== 'progress') return true
        const isNew = saying.text !== lastProgress
        lastProgress = saying.text
        return isNew
      })
      if (said.length > 0) isSpeaking = body.type === 'agent.message'
      return said
    },
    get outcome() {
      return outcome
    },
    get hasChanges() {
      return hasChanges
    },
  }
}

function ofState(
  { to, failure }: Extract<EventBody, { type: 'job.state' }>,
  hasChanges: boolean,
  t: Translate,
): readonly Saying[] {
  if (!hasEnded(to)) return [progress(stateName(to, t))]
  switch (to) {
    case 'succeeded':
      return hasChanges
        ? [paragraph(t('Done.')), { kind: 'button', action: 'review' }]
        : [paragraph(t('Done, and nothing was changed.'))]
    case 'cancelled':
      return [paragraph(t('The job was cancelled.'))]
    default: {
      const why = failure
        ? [failure.detail, failure.remedy ?? ''].filter(part => part !== '').join(' ')
        : t('no reason was given')
      const text = paragraph(t('The job failed: {0}', plainMarkdown(why)))
      return hasChanges
        ? [text, { kind: 'button', action: 'review' }, { kind: 'button', action: 'retry' }]
        : [text, { kind: 'button', action: 'retry' }]
    }
  }
}

function attemptText({ agent, model }: Extract<EventBody, { type: 'attempt.started' }>, t: Translate): string {
  return model === null
    ? t('{0} works', plainMarkdown(agent))
    : t('{0} works with {1}', plainMarkdown(agent), plainMarkdown(model))
}

/** A command as a person wrote it: the shell that it is given to is ours. */
const commandText = (argv: readonly string[]): string => (argv[0] === 'sh' && argv[1] === '-c' ? argv.slice(2) : argv).join(' ')

/** What came of a job: changed files, and what the checks say. */
export function resultText({ diffStat, checks }: Pick<Result, 'diffStat' | 'checks'>, t: Translate): string {
  const { files, insertions, deletions, changes } = diffStat
  const list = changes.slice(0, MOST_FILES).map(({ path }) => `- ${plainMarkdown(path)}`)
  if (files > list.length) list.push(`- ${t('and {0} more', files - list.length)}`)
  const verdicts = {
    fixed: t('red before, green now'),
    vacuous: t('green before and now'),
    red: t('still red'),
    broken: t('broken'),
  }
  const checked = checks.map(({ argv, verdict }) => `- ${plainMarkdown(commandText(argv), 120)}: ${verdicts[verdict]}`)
  return [
    files === 0
      ? t('No file was changed.')
      : t('Changed files: {0}; lines added: {1}, removed: {2}', files, insertions, deletions),
    '',
    ...list,
    ...(checked.length === 0 ? [] : ['', t('Checks:'), '', ...checked]),
  ].join('\n')
}
