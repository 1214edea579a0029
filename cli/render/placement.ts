import { formatDuration } from '#server/lib/units.ts'
import { type Correction, type PlacementRecord, sanitizeLine, type Terms, type Trust } from '#shared/model/index.ts'
import type { World } from '../world.ts'

type Paint = World['out']['paint']
type Asked = PlacementRecord['asked'][number]

/** How the attempts of a job came to their nodes: who was asked, what each answered, who got it, and whether it kept its word. */
export function renderPlacements(records: readonly PlacementRecord[], paint: Paint): string[] {
  return records.flatMap(record => [
    headline(record),
    ...record.asked.flatMap(asked => askedLines(asked, record.awarded, paint)),
    ...record.filtered.map(({ name, why }) => paint('dim', `    ${sanitizeLine(name)} was not asked: ${sanitizeLine(why)}`)),
    ...unseen(record, paint),
    ...(record.awarded === null ? ['  nobody took it yet'] : []),
    ...outcomeLines(record),
  ])
}

const times = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

function headline({ epoch, at, round, messages, known, asked }: PlacementRecord): string {
  const of = known > 0 ? ` of ${times(known, 'node')}` : ''
  return `attempt ${epoch}, announced ${at}${round > 1 ? `, round ${round}` : ''}: asked ${asked.length}${of}, ${times(messages, 'message')}`
}

function askedLines({ node, name, why, answer, ms }: Asked, awarded: string | null, paint: Paint): string[] {
  const won = node === awarded
  const who = `  ${won ? '✓' : ' '} ${sanitizeLine(name)} (asked: ${why}, ${ms} ms): `
  if (answer.kind === 'silent') return [`${who}did not answer: ${sanitizeLine(answer.problem)}`]
  if (answer.kind === 'no') {
    const again = answer.againMs === null ? '' : `, perhaps again in ${formatDuration(answer.againMs)}`
    return [`${who}no${answer.isTransient ? ` for now${again}` : ', for good'}: ${sanitizeLine(answer.reason)}`]
  }
  const parts = Object.entries(answer.parts).filter(([, ms]) => ms !== 0)
  const sum = parts.map(([part, ms]) => `${sanitizeLine(part)} ${formatDuration(ms)}`).join(' + ')
  const line = `${who}score ${formatDuration(answer.score)}${sum ? ` = ${sum}` : ''}`
  const details = [promise(answer.terms), qualities(answer.terms, answer.trust), believed(answer.correction)]
  return [won ? paint('green', line) : line, ...details.map(detail => paint('dim', `      ${detail}`))]
}

/** Both quantiles, or one where they are the same. */
const range = ({ p50, p90 }: { p50: number; p90: number }): string =>
  formatDuration(p50) === formatDuration(p90) ? formatDuration(p50) : `${formatDuration(p50)} (p90 ${formatDuration(p90)})`

function promise({ startMs, start90Ms, waitsBehind, runMs, finishMs }: Terms): string {
  const start =
    waitsBehind === 0 ? 'starts at once' : `starts behind ${waitsBehind} in ${range({ p50: startMs, p90: start90Ms ?? startMs })}`
  if (runMs === null) return `${start}; never ran such a job`
  return `${start}, runs ${range(runMs)}${finishMs ? `, done in ${range(finishMs)}` : ''}`
}

function qualities(terms: Terms, trust: Trust | null): string {
  const { executor, isolation, load, loadPerCore, power, price, modelLoaded, repositoryCached, dependencyCached, imageCached } =
    terms
  return [
    `executor ${sanitizeLine(executor)} (${isolation})`,
    `slots ${Math.round(100 * load)} % taken`,
    ...(loadPerCore === null ? [] : [`load ${loadPerCore} a core`]),
    ...(power === 'unknown' ? [] : [`on ${power}`]),
    ...(modelLoaded ? [] : ['model not loaded']),
    ...(repositoryCached ? [] : ['repository not there']),
    ...(imageCached ? [] : ['has to pull the image']),
    ...(dependencyCached ? [] : ['has to install']),
    ...(price === null ? [] : [`price ${price} an hour`]),
    ...(trust === null ? [] : [{ self: 'this node', paired: 'paired', own: 'your own', granted: 'by a grant' }[trust]]),
  ].join(', ')
}

function believed({ attempts, lateMs, runFactor }: Correction): string {
  if (attempts === 0) return 'believed: no attempt of ours there yet'
  const corrections = [
    ...(lateMs > 0 ? [`starts ${formatDuration(lateMs)} later`] : []),
    ...(runFactor > 1 ? [`runs ×${runFactor} as long`] : []),
  ]
  return `by ${times(attempts, 'earlier attempt')}: ${corrections.join(', ') || 'keeps its promises'}`
}

/** A fleet may be too large to look at all of it. */
function unseen({ known, asked, filtered }: PlacementRecord, paint: Paint): string[] {
  const others = known - asked.length - filtered.length
  return others > 0 ? [paint('dim', `    ${times(others, 'other node was', 'other nodes were')} not drawn`)] : []
}

function outcomeLines({ outcome }: PlacementRecord): string[] {
  if (!outcome) return []
  const { promised, actual } = outcome
  const pair = (ms: number, was: number) => `${formatDuration(ms)} promised, ${formatDuration(was)} taken`
  return [`  start: ${pair(promised.startMs, actual.startMs)}; run: ${pair(promised.runMs, actual.runMs)}`]
}
