import { type Card, ExecutorKind, type IsolationLevel, isAtLeast, type JobSpec } from '#shared/model/index.ts'

/** A place an attempt could run. */
export interface Candidate {
  readonly executor: string
  /** What it gives to a job that asks for no level. */
  readonly isolation: IsolationLevel
  /** All it can give; default: that one. */
  readonly levels?: readonly IsolationLevel[] | undefined
  readonly available: boolean
  /** Why not, and how to change that; for people. */
  readonly detail: string
  readonly remedy: string | null
}

/** What of a job decides which executors can do it. */
export type Wanted = Pick<JobSpec, 'sandbox'> & {
  readonly executor: string
  readonly image?: string | undefined
  readonly isolation?: IsolationLevel | undefined
  readonly gpus?: number | undefined
}

export type Placement =
  | { readonly ok: true; readonly executor: string; readonly isolation: IsolationLevel; readonly why: string }
  | { readonly ok: false; readonly why: string; readonly remedy: string | null }

/** The one that makes sandboxes of host processes: it has no images. */
const PLAIN = 'process'
const WITHOUT_GPUS: readonly string[] = [PLAIN, 'container']

/**
 * Chooses among the executors of a node, the lightest first as they are given, and says why. A job without a sandbox runs only where
 * it says so itself, and nothing gets less isolation than it asked for.
 */
export function place(wanted: Wanted, candidates: readonly Candidate[]): Placement {
  if (wanted.sandbox === 'none') return placeBare(wanted, candidates)
  const isAny = wanted.executor === 'auto'
  const named = isAny ? candidates : candidates.filter(({ executor }) => executor === wanted.executor)
  if (named.length === 0) return no(isAny ? 'It has no executor.' : `It has no executor "${wanted.executor}".`)
  const passed: { why: string; remedy: string | null }[] = []
  for (const candidate of named) {
    const misfit = misfitOf(wanted, candidate)
    if (misfit) {
      passed.push(misfit)
      continue
    }
    const { executor, detail } = candidate
    const isolation = levelGiven(candidate, wanted.isolation) ?? candidate.isolation
    const reason = isAny
      ? `The lightest executor here that can do it${passed.length > 0 ? ` (${passed.map(({ why }) => why).join(' ')})` : ''}`
      : 'The job names it'
    return { ok: true, executor, isolation, why: `${reason}: ${detail}` }
  }
  return { ok: false, why: passed.map(({ why }) => why).join(' '), remedy: passed.find(({ remedy }) => remedy)?.remedy ?? null }
}

function placeBare({ executor }: Wanted, candidates: readonly Candidate[]): Placement {
  const plain = candidates.find(candidate => candidate.executor === PLAIN && ['auto', PLAIN].includes(executor))
  if (!plain) return no(`It has no executor "${executor}" that runs jobs without a sandbox.`)
  return { ok: true, executor: PLAIN, isolation: 'none', why: 'The job asked for no sandbox.' }
}

const no = (why: string): Placement => ({ ok: false, why, remedy: null })

/** Why an executor cannot do a job; null when it can. */
function misfitOf({ image, gpus = 0, isolation }: Wanted, candidate: Candidate): { why: string; remedy: string | null } | null {
  const { executor, available, detail, remedy } = candidate
  const name = `Executor "${executor}"`
  if (executor === PLAIN && image) return { why: `${name} starts from no image.`, remedy: null }
  if (gpus > 0 && WITHOUT_GPUS.includes(executor)) return { why: `${name} gives no GPUs.`, remedy: null }
  if (!available) return { why: `${name} cannot make a sandbox: ${detail}`, remedy }
  if (isolation && levelGiven(candidate, isolation) === null)
    return { why: `${name} gives isolation ${levelsOf(candidate).join(' and ')}, and the job needs ${isolation}.`, remedy: null }
  return null
}

const levelsOf = ({ isolation, levels = [isolation] }: Pick<Candidate, 'isolation' | 'levels'>): readonly IsolationLevel[] =>
  levels

/** The isolation a job gets that needs at least so much: what the executor gives anyway, else the least that will do; null: none does. */
export function levelGiven(
  candidate: Pick<Candidate, 'isolation' | 'levels'>,
  least: IsolationLevel | undefined,
): IsolationLevel | null {
  const { isolation } = candidate
  if (least === undefined || isAtLeast(isolation, least)) return isolation
  const enough = levelsOf(candidate).filter(level => isAtLeast(level, least))
  return enough.reduce<IsolationLevel | null>((found, level) => (found && isAtLeast(level, found) ? found : level), null)
}

/** The executors of a node, as far as its card tells. */
export const candidatesOf = ({ executors }: Pick<Card, 'executors'>): readonly Candidate[] =>
  executors
    // A later kind could not be asked for.
    .filter(({ kind }) => ExecutorKind.safeParse(kind).success)
    .map(({ kind, isolation, levels }) => ({
      ...{ executor: kind, isolation, levels, available: true, remedy: null },
      detail: `isolation ${levelsOf({ isolation, levels }).join(' or ')}`,
    }))
