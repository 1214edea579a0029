import { formatDuration } from '#server/lib/units.ts'
import { type CheckRun, type EventBody, isEnd, sanitizeLine, sanitizeTerminal } from '#shared/model/index.ts'
import type { Paint } from '../terminal.ts'
import { renderCommand } from './command.ts'
import { renderTotals } from './diff-stat.ts'
import { renderState } from './state.ts'

const short = (text: string, length = 160): string => {
  const line = sanitizeLine(text)
  return line.length > length ? `${line.slice(0, length - 1)}…` : line
}

function renderCheck(run: CheckRun, phase: 'base' | 'result', command: string, paint: Paint): string {
  const green = run.exitCode === 0
  const why = run.ended === 'exit' ? `exit code ${run.exitCode}` : `ended by ${run.ended}`
  const time = formatDuration(run.durationMs)
  // Red before the work is what a useful check is, so it is not shouted.
  if (phase === 'base')
    return paint('dim', `  before: ${green ? 'green' : 'red'}  ${command}  (${green ? time : `${why}, ${time}`})`)
  return green
    ? `  ${paint('green', '✓')} ${command}  ${paint('dim', time)}`
    : `  ${paint('red', '✗')} ${command}  ${why}, ${time}`
}

/**
 * What a person following a job is shown of an event; null for what the log or the summary says already.
 * @param checks the command lines of the job's checks, by index.
 */
export function renderEvent(body: EventBody, checks: readonly (readonly string[])[], paint: Paint): string | null {
  const check = (index: number) => renderCommand(checks[index] ?? [`check ${index + 1}`])
  switch (body.type) {
    case 'job.state':
      if (isEnd(body.to)) return null
      return body.to === 'placing' ? null : renderState(body.to, paint)
    case 'job.cancel':
      return paint('yellow', `  cancelling: ${short(body.reason)}`)
    case 'attempt.started': {
      const agent = [body.agent, body.agentVersion].filter(Boolean).join(' ')
      const model = body.model === null ? '' : `, model ${body.model}`
      const sandbox = body.isolation === 'none' ? paint('yellow', 'no sandbox') : `${body.executor} sandbox`
      return `  attempt ${body.epoch}: agent ${short(agent + model)}, ${sandbox}`
    }
    case 'attempt.placed':
      return `  attempt ${body.epoch} goes to ${short(body.name)}`
    case 'attempt.lost':
      return paint('yellow', `  attempt ${body.epoch} was lost: ${short(body.reason)}`)
    case 'attempt.returned':
      return paint('yellow', `  attempt ${body.epoch} came back and does not count: ${short(body.reason)}`)
    case 'attempt.aside':
      return paint('yellow', `  attempt ${body.epoch} may still finish; another one begins: ${short(body.reason)}`)
    case 'check.ended':
      return renderCheck(body.run, body.phase, check(body.index), paint)
    case 'agent.message':
      return sanitizeTerminal(body.text).trim() || null
    case 'agent.thought':
      return paint('dim', `  ${short(body.text)}`)
    case 'agent.plan':
      return body.entries
        .map(
          entry => `  ${entry.status === 'completed' ? '☑' : entry.status === 'in_progress' ? '▸' : '☐'} ${short(entry.content)}`,
        )
        .join('\n')
    case 'agent.tool':
      if (body.status === 'failed') return `  ${paint('red', '✗')} ${short(body.title)}`
      return body.status === 'completed' ? `  ${paint('cyan', '⚙')} ${short(body.title)}` : null
    case 'agent.diff':
      return `  ${paint('cyan', '✎')} ${short(body.path)}`
    case 'permission.requested':
      return paint(
        'yellow',
        `  the agent asks: ${short(body.title)} (request ${short(body.requestId)}: ${body.options.map(({ id }) => short(id)).join(', ')})`,
      )
    case 'permission.answered':
      return paint('dim', `  answered by ${body.by}: ${body.optionId === null ? 'no' : short(body.optionId)}`)
    case 'result.committed':
      return `  ${renderTotals(body.diffStat, paint)}`
    case 'result.refused':
      return paint('red', `  the result was refused: ${short(body.reason)}`)
    case 'warning':
      return paint('yellow', `  warning: ${short(body.detail)}`)
    case 'job.created':
    case 'attempt.image':
    case 'attempt.process':
    case 'check.started':
    case 'agent.usage':
    case 'model.usage':
    case 'result.accepted':
    case 'result.delivered':
    case 'log.sealed':
      return null
  }
}
