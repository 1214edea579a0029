import {
  type AcceptPolicy,
  type IsolationLevel,
  isWithin,
  type LocalTime,
  type NodeId,
  type PowerSource,
  parseHours,
} from '#shared/model/index.ts'
import { levelGiven } from './executor.ts'

/** The node whose job it is, and what a mesh says of it. */
export interface Asker {
  readonly id: NodeId
  readonly name: string
  readonly user: string | null
  readonly tags: readonly string[]
}

/** What is asked of a node on behalf of a job of another. */
export interface PolicyRequest {
  readonly home: Asker
  /** Whether pairing, a grant or a setting lets that node's jobs in at all. */
  readonly isTrusted: boolean
  readonly executor: string
  /** The least isolation the job needs; default: what the executor gives. */
  readonly isolation?: IsolationLevel | undefined
  /** Labels the job asks of its node. */
  readonly labels: Readonly<Record<string, string>>
}

/** How this node stands when it is asked. */
export interface PolicyFacts {
  readonly isReady: boolean
  readonly isDraining: boolean
  readonly now: LocalTime
  readonly power: PowerSource
  /** Programs that want to run, a core: 1 is a machine that is just busy. */
  readonly load: number
  /** Attempts of others that run here or were promised a place, this one not counted. */
  readonly hosted: number
  /** Bytes that must be freed before this node takes more work; 0 for none. */
  readonly missingBytes: number
  readonly executors: readonly {
    kind: string
    available: boolean
    isolation: IsolationLevel
    levels?: readonly IsolationLevel[]
  }[]
}

/** A transient no may be a yes later without anybody's doing. */
export type Verdict = { readonly take: true } | { readonly take: false; readonly isTransient: boolean; readonly reason: string }

type Conditions = Omit<AcceptPolicy, 'for' | 'users' | 'tags'>
type Check = (facts: PolicyFacts, conditions: Conditions, request: PolicyRequest) => string | null

/** What does not change by itself. */
const LASTING: readonly Check[] = [
  (_, __, { isTrusted }) => (isTrusted ? null : 'It takes no jobs of yours.'),
  (_, { executors }, { executor }) =>
    executors === undefined || executors.includes(executor) ? null : `It runs no jobs of others by executor "${executor}".`,
  ({ executors }, { isolation }, { executor, isolation: least }) => {
    const found = executors.find(({ kind }) => kind === executor)
    if (!found) return `It has no executor "${executor}".`
    if (!found.available || found.isolation === 'none')
      return 'It can make no sandbox now, and runs no jobs of others without one.'
    const given = levelGiven(found, least) ?? found.isolation
    return isolation === undefined || isolation.some(level => level === given)
      ? null
      : `It runs jobs of others in isolation of level ${isolation.join(' or ')} only; "${executor}" gives ${given}.`
  },
  (_, { labels = {} }, { labels: asked }) => {
    const missing = Object.entries(labels).find(([name, value]) => asked[name] !== value)
    return missing ? `It takes jobs that ask for label ${missing.join('=')} only.` : null
  },
  (_, { attempts }) => (attempts === 0 ? 'It takes no jobs of others.' : null),
]

/** What may be otherwise soon. */
const PASSING: readonly Check[] = [
  ({ isReady }) => (isReady ? null : 'It is starting or stopping.'),
  ({ isDraining }) => (isDraining ? 'It is draining.' : null),
  ({ now }, { hours }) =>
    hours === undefined || hours.some(text => isOpen(text, now)) ? null : `It takes jobs of others ${hours.join(' or ')} only.`,
  ({ power }, { power: wanted }) =>
    wanted === 'mains' && power === 'battery' ? 'It runs on its battery, and takes jobs of others on mains only.' : null,
  ({ load }, { idleBelow }) =>
    idleBelow === undefined || load < idleBelow
      ? null
      : `It is not idle: its load is ${percent(load)} of its cores, and it takes jobs of others below ${percent(idleBelow)} only.`,
  ({ missingBytes }) =>
    missingBytes === 0 ? null : `Its disk is full: ${Math.ceil(missingBytes / 2 ** 20)} MiB must be freed before it takes a job.`,
  ({ hosted }, { attempts }) =>
    attempts === undefined || hosted < attempts ? null : `It runs ${attempts} attempts of others at most, and has as many.`,
]

/**
 * Whether this node takes a job of another: whose it is, when, how many, and what it needs. Pure; asked when a job is announced and
 * again when it is awarded, for much may change between the two.
 */
export function policy(accept: AcceptPolicy, request: PolicyRequest, facts: PolicyFacts): Verdict {
  const exception = accept.for.find(entry => isNamed(request.home, entry))
  if (exception?.take === false) return { take: false, isTransient: false, reason: 'It takes no jobs of yours.' }
  const why = (checks: readonly Check[]): string | null => {
    for (const check of checks) {
      const reason = check(facts, exception ?? accept, request)
      if (reason !== null) return reason
    }
    return null
  }
  const lasting = why(LASTING)
  if (lasting !== null) return { take: false, isTransient: false, reason: lasting }
  const passing = why(PASSING)
  return passing === null ? { take: true } : { take: false, isTransient: true, reason: passing }
}

function isNamed({ id, name, user, tags }: Asker, entry: AcceptPolicy['for'][number]): boolean {
  return (
    entry.nodes.some(node => node === id || node === name) ||
    (user !== null && entry.users.includes(user)) ||
    tags.some(tag => entry.tags.includes(tag))
  )
}

function isOpen(text: string, now: LocalTime): boolean {
  const span = parseHours(text)
  return span !== null && isWithin(span, now)
}

const percent = (share: number): string => `${Math.round(100 * share)} %`

/** A policy in words, one line a rule, for whoever wants to see what was set. */
export function describePolicy(accept: AcceptPolicy): string[] {
  const more = [
    ...accept.users.map(user => `of machines of ${user}`),
    ...accept.tags.map(tag => `of machines under ${tag}`),
    ...(accept.users.length + accept.tags.length === 0 ? [] : ['by fleet.accept']),
  ]
  return [
    `of nodes that were paired for it or have a grant${more.length > 0 ? `, and ${more.join(', ')}` : ''}: ${inWords(accept)}`,
    ...accept.for.map(entry => {
      const who = [...entry.nodes, ...entry.users, ...entry.tags].join(', ') || 'nobody'
      return `of ${who}: ${entry.take ? inWords(entry) : 'none'}`
    }),
    'never without a sandbox',
  ]
}

function inWords({ hours, power, idleBelow, attempts, executors, isolation, labels }: Conditions): string {
  const conditions = [
    ...(attempts === undefined ? [] : [`${attempts} at once`]),
    ...(hours === undefined ? [] : [hours.join(' or ')]),
    ...(power === 'mains' ? ['on mains only'] : []),
    ...(idleBelow === undefined ? [] : [`while the load is below ${percent(idleBelow)} of the cores`]),
    ...(executors === undefined ? [] : [`executor ${executors.join(', ')}`]),
    ...(isolation === undefined ? [] : [`isolation ${isolation.join(' or ')}`]),
    ...Object.entries(labels ?? {}).map(label => `jobs that ask for label ${label.join('=')}`),
  ]
  return conditions.length === 0 ? 'at any time' : conditions.join('; ')
}
