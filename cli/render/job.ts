import { formatDuration } from '#server/lib/units.ts'
import {
  type Check,
  isEnd,
  type Job,
  type PlacementRecord,
  type Result,
  sanitizeLine,
  type UsedImage,
} from '#shared/model/index.ts'
import type { Paint } from '../terminal.ts'
import { renderCommand } from './command.ts'
import { renderChanges, renderTotals } from './diff-stat.ts'
import { renderState } from './state.ts'

const LABEL_COLUMNS = 10
const VERDICTS: Record<Check['verdict'], string> = {
  fixed: 'red before, green after',
  vacuous: 'green before too, so it proves little',
  red: 'red before and after',
  broken: 'green before, red after',
}

/** Label and lines; the label stands before the first. */
type Section = readonly [label: string, lines: readonly string[]]

/** All there is to say about a job that a person acts on. @param placements how its attempts came to their nodes */
export function renderJob(job: Job, placements: readonly PlacementRecord[], paint: Paint): string[] {
  const sections: Section[] = [
    ...failure(job),
    ...where(job, placements),
    ['agent', [agentLine(job)]],
    ...disconnect(job),
    ...winner(job),
    ...(job.result ? outcome(job.result, paint) : []),
    ...(job.retryOf ? [['retry of', [job.retryOf]] as const] : []),
    ...nextSteps(job),
  ]
  const lines = sections.flatMap(([label, values]) =>
    values.map((value, index) => `  ${paint('dim', (index === 0 ? label : '').padEnd(LABEL_COLUMNS))}${value}`),
  )
  return [`${renderState(job.state, paint)}${took(job)}  ${paint('bold', job.id)}  ${sanitizeLine(job.title)}`, ...lines]
}

function took({ startedAt, endedAt }: Job): string {
  return startedAt && endedAt ? ` in ${formatDuration(Date.parse(endedAt) - Date.parse(startedAt))}` : ''
}

function failure({ failure: why }: Job): Section[] {
  if (!why) return []
  return [['why', [sanitizeLine(why.detail)]], ...(why.remedy ? [['try', [sanitizeLine(why.remedy)]] as const] : [])]
}

/** Which node has it, or had the attempt that ended it; why nobody has, while that is so. */
function where({ epoch, state, result }: Job, placements: readonly PlacementRecord[]): Section[] {
  const record = placements.findLast(placed => placed.epoch === (result?.epoch ?? epoch))
  if (!record) return []
  if (record.awarded === null) return isEnd(state) ? [] : [['waits', whyNobody(record)]]
  const name = record.asked.find(({ node }) => node === record.awarded)?.name ?? record.awarded
  return [['node', [sanitizeLine(name)]]]
}

/** Why nobody took a job when it was announced last, a line a reason. */
export function whyNobody({ asked, filtered }: PlacementRecord): string[] {
  const reasons = new Map<string, string[]>()
  const add = (why: string, name: string) => reasons.set(why, [...(reasons.get(why) ?? []), sanitizeLine(name)])
  for (const { name, why } of filtered) add(sanitizeLine(why), name)
  for (const { name, answer } of asked) {
    if (answer.kind === 'no') add(sanitizeLine(answer.reason), name)
    if (answer.kind === 'silent') add('It did not answer.', name)
    if (answer.kind === 'bid') add('It bid, and then could not take it.', name)
  }
  return ['no node can take it now', ...[...reasons].map(([why, names]) => `  ${names.join(', ')}: ${why}`)]
}

function disconnect({ spec }: Job): Section[] {
  switch (spec.disconnect?.kind) {
    case undefined:
    case 'replace':
      return []
    case 'wait':
      return [['unheard', [`waits ${formatDuration(spec.disconnect.ms)} for its node before it is placed again`]]]
    case 'keep-both':
      return [['unheard', ['is placed again, and the first attempt to finish wins']]]
  }
}

/** Which attempt ended the job, where that was not the newest one. */
function winner({ epoch, result }: Job): Section[] {
  return result && result.epoch < epoch ? [['attempt', [`${result.epoch} of ${epoch}, which ended first`]]] : []
}

function agentLine({ spec, result }: Job): string {
  const agent = result ? [result.agent.id, result.agent.version].filter(Boolean).join(' ') : spec.agent
  const model = result?.model ?? spec.model
  return sanitizeLine(model ? `${agent}, model ${model}` : agent)
}

function outcome(result: Result, paint: Paint): Section[] {
  const { usage } = result
  return [
    ['sandbox', [sandbox(result, paint)]],
    ...(result.image ? [['image', imageLines(result.image)] as const] : []),
    ['checks', result.checks.map(check => renderVerdict(check, paint))],
    ['changes', [renderTotals(result.diffStat, paint), ...renderChanges(result.diffStat, paint).map(line => `  ${line}`)]],
    ...(usage.requests > 0 ? [['tokens', [`${count(usage.inputTokens)} in, ${count(usage.outputTokens)} out`]] as const] : []),
    ['warnings', result.warnings.map(({ detail }) => paint('yellow', sanitizeLine(detail)))],
    ...(result.commit
      ? [['commit', [result.ref ? `${result.commit.slice(0, 12)}  ${result.ref}` : result.commit.slice(0, 12)]] as const]
      : []),
  ]
}

function sandbox({ isolation, executor }: Result, paint: Paint): string {
  if (isolation === 'none') return paint('yellow', 'none: it ran with the rights of the server')
  return sanitizeLine(executor === isolation ? executor : `${executor} (${isolation})`)
}

const imageLines = ({ name, digest }: UsedImage): string[] =>
  [name, digest].flatMap(text => (text === null ? [] : [sanitizeLine(text)]))

const count = (amount: number): string => amount.toLocaleString('en-US')

function renderVerdict({ argv, verdict, result }: Check, paint: Paint): string {
  const good = result.exitCode === 0
  const mark = good ? paint('green', '✓') : paint('red', '✗')
  return `${mark} ${renderCommand(argv)}  ${paint(verdict === 'vacuous' ? 'yellow' : 'dim', VERDICTS[verdict])}`
}

function nextSteps({ id, state, result }: Job): Section[] {
  if (!isEnd(state)) return [['watch', [`skein logs -f ${id}`]]]
  if (state === 'succeeded' && result?.commit) {
    return [
      ['review', [`skein diff ${id}`]],
      ['apply', [`skein apply ${id}`]],
    ]
  }
  return state === 'succeeded'
    ? []
    : [
        ['log', [`skein logs ${id}`]],
        ['again', [`skein retry ${id}`]],
      ]
}
