import { createHash } from 'node:crypto'
import { isEnd, type JobEvent } from '#shared/model/index.ts'
import { attemptName, type Ledger, type RunningProgram } from './ledger.ts'
import { attemptDirectories, logFileOf, type SimulatedNode } from './node.ts'

/** Holds what every step left against what was promised. */
export interface Invariants {
  /** After every step. @returns what is broken, or null */
  step(): string | null
  /** Once nothing goes wrong any more and there was time to recover. @returns all that is broken */
  end(): string[]
}

/** Attempts after which a job counts as going round. */
const MOST_ATTEMPTS = 60

/** Why a job may have failed without anybody being to blame. */
const FATE: readonly string[] = ['attempts_exhausted']

export function createInvariants(nodes: readonly SimulatedNode[], ledger: Ledger, isCalm: boolean): Invariants {
  const checked = new Map<string, { events: number; accepted: Set<string> }>(
    nodes.map(({ name }) => [name, { events: 0, accepted: new Set() }]),
  )
  const logs = new Map<string, LogCheck>()
  let programs = ''

  /** Two attempts of a job that both work, each with a server that could have ended it. */
  function overlap(): string | null {
    const working = [...ledger.programs].filter(({ isWorking, isSupervised }) => isWorking && isSupervised)
    const now = working.map(({ pid }) => pid).join()
    if (now === programs) return null
    programs = now
    const seen = new Map<string, RunningProgram>()
    for (const program of working) {
      const other = seen.get(program.jobId)
      if (ledger.accepted.get(program.jobId)?.keepsBoth) continue
      if (other && !other.hasSlept && !program.hasSlept)
        return `job ${program.jobId} runs twice: attempt ${other.epoch} on ${other.node} and attempt ${program.epoch} on ${program.node}`
      seen.set(program.jobId, program)
    }
    for (const [attempt, started] of ledger.starts)
      if (started.length > 1) return `attempt ${attempt} was started ${started.length} times: on ${started.join(', ')}`
    for (const node of nodes) {
      const here = working.filter(program => program.node === node.name).length
      if (here > node.spec.slots) return `${node.name} runs ${here} attempts in ${node.spec.slots} places`
    }
    return null
  }

  function events(node: SimulatedNode): string | null {
    const known = checked.get(node.name)
    if (!known) return null
    const all = node.tables.events
    for (; known.events < all.length; known.events++) {
      const event = all[known.events]
      const problem = event && judgeEvent(known.accepted, event)
      if (problem) return problem
    }
    return null
  }

  function judgeEvent(accepted: Set<string>, { jobId, body }: JobEvent): string | null {
    if (body.type === 'job.state' && body.epoch > MOST_ATTEMPTS) return `job ${jobId} goes round: attempt ${body.epoch} begins`
    if (body.type !== 'result.accepted') return null
    if (accepted.has(jobId)) return `job ${jobId} had a second result accepted, of attempt ${body.result.epoch}`
    accepted.add(jobId)
    const { commit, epoch } = body.result
    const made = ledger.commits.get(attemptName(jobId, epoch))
    if (commit !== null && commit !== made) return `job ${jobId} has commit ${commit}, attempt ${epoch} made ${made}`
    return null
  }

  function reservations(node: SimulatedNode): string | null {
    const server = node.server()
    if (!server) return null
    const { busy, slots } = server.jobs.places()
    return busy > slots || busy < 0 ? `${node.name} holds ${busy} of ${slots} places` : null
  }

  function log(jobId: string, home: SimulatedNode): string | null {
    const bytes = home.disk.read(logFileOf(jobId))
    if (!bytes) return null
    const check = logs.get(jobId) ?? createLogCheck(jobId, ledger)
    logs.set(jobId, check)
    return check.take(bytes)
  }

  const homeOf = (name: string): SimulatedNode => {
    const found = nodes.find(node => node.name === name)
    if (!found) throw new Error(`There is no node ${name}`)
    return found
  }

  function whole(jobId: string, home: SimulatedNode): string[] {
    const stored = home.tables.jobs.get(jobId)
    if (!stored) return [`job ${jobId} is gone from ${home.name}`]
    const { row } = stored
    if (!isEnd(row.state)) return [`job ${jobId} is still ${row.state} in attempt ${row.epoch}`]
    const problems: string[] = []
    if (row.state === 'failed' && !FATE.includes(row.failure?.code ?? ''))
      problems.push(`job ${jobId} failed: ${row.failure?.code}: ${row.failure?.detail}`)
    if (row.state === 'cancelled' && !ledger.cancelled.has(jobId)) problems.push(`job ${jobId} was cancelled by nobody`)
    if (!stored.log) problems.push(`the log of job ${jobId} was never sealed`)
    if (row.undelivered) problems.push(`the result of job ${jobId} was never delivered`)
    if (row.state === 'succeeded') problems.push(...succeeded(jobId, row.epoch, home))
    if (isCalm && (row.epoch > 1 || row.state === 'failed'))
      problems.push(`job ${jobId} took ${row.epoch} attempts though nothing went wrong that costs one`)
    return problems
  }

  function succeeded(jobId: string, epoch: number, home: SimulatedNode): string[] {
    const stored = home.tables.jobs.get(jobId)
    const result = stored?.row.result
    if (!stored || !result) return [`job ${jobId} succeeded without a result`]
    const problems: string[] = []
    const name = attemptName(jobId, result.epoch)
    if (result.epoch !== epoch && !ledger.accepted.get(jobId)?.keepsBoth)
      problems.push(`job ${jobId} has the result of attempt ${result.epoch} under epoch ${epoch}`)
    if (result.commit !== null && home.repositories.delivered.get(jobId) !== result.commit)
      problems.push(`job ${jobId} delivered ${home.repositories.delivered.get(jobId)} instead of ${result.commit}`)
    const inLog = logs.get(jobId)?.lines(result.epoch) ?? 0
    if (inLog !== ledger.lines.get(name)) problems.push(`the log of ${name} has ${inLog} lines of ${ledger.lines.get(name)}`)
    const bytes = home.disk.read(logFileOf(jobId)) ?? new Uint8Array()
    const sealed = stored.log
    if (sealed && sealed.sha256 !== createHash('sha256').update(bytes).digest('hex'))
      problems.push(`the log of job ${jobId} is not what was sealed`)
    for (const { base, result: run } of result.checks)
      for (const { logOffset, logBytes, logSha256 } of [base, run])
        if (
          createHash('sha256')
            .update(bytes.subarray(logOffset, logOffset + logBytes))
            .digest('hex') !== logSha256
        )
          problems.push(`the output of a check of ${name} is not where its evidence says`)
    const events = home.tables.events.filter(event => event.jobId === jobId)
    const heard = ledger.heard.get(jobId) ?? 0
    if (heard !== events.length) problems.push(`a reader of job ${jobId} heard ${heard} events of ${events.length}`)
    const reports = events.flatMap(({ body }) =>
      body.type === 'agent.message' && body.epoch === result.epoch ? [body.text] : [],
    )
    const wanted = Array.from({ length: ledger.reports.get(name) ?? 0 }, (_, index) => `${index}`)
    const wrong = wanted.findIndex((text, place) => reports[place] !== text)
    if (wrong >= 0 || reports.length !== wanted.length)
      problems.push(
        `of ${wanted.length} reports of ${name} ${reports.length} came; ${wrong < 0 ? 'too many' : `${wrong} is missing`}`,
      )
    return problems
  }

  function atRest(node: SimulatedNode): string[] {
    const problems: string[] = []
    const server = node.server()
    if (!server) return [`${node.name} does not run`]
    const { busy } = server.jobs.places()
    if (busy > 0) problems.push(`${node.name} still holds ${busy} places`)
    const unknown = nodes.filter(({ name }) => name !== node.name && !server.knows().includes(name))
    if (unknown.length > 0) problems.push(`${node.name} knows nothing of ${unknown.map(({ name }) => name).join(', ')}`)
    const left = node.disk.list(attemptDirectories)
    if (left.length > 0) problems.push(`${node.name} keeps directories of attempts: ${left.join(', ')}`)
    for (const jobId of node.tables.jobs.keys())
      if (!ledger.accepted.has(jobId))
        problems.push(`job ${jobId} of ${node.name} is nobody's: who asked for it was given another`)
    const rows = [...node.tables.jobs.values()]
    if (rows.some(({ processes }) => processes.length > 0)) problems.push(`${node.name} remembers processes that are over`)
    if (rows.some(({ away }) => away.size > 0)) problems.push(`${node.name} remembers where ended attempts were`)
    if (node.tables.dismissals.size > 0) problems.push(`${node.name} never told nodes that attempts are over`)
    if (node.tables.hosted.size > 0) problems.push(`${node.name} keeps ${node.tables.hosted.size} settled attempts`)
    return problems
  }

  return {
    step() {
      for (const [jobId, { home }] of ledger.accepted)
        if (!homeOf(home).tables.jobs.has(jobId)) return `job ${jobId} was accepted and is not on disk`
      for (const [jobId, { home }] of ledger.accepted) {
        const problem = log(jobId, homeOf(home))
        if (problem) return problem
      }
      for (const node of nodes) {
        const problem = events(node) ?? reservations(node)
        if (problem) return problem
      }
      return overlap() ?? ledger.violations[0] ?? ledger.errors[0] ?? null
    },
    end: () => [
      ...[...ledger.accepted].flatMap(([jobId, { home }]) => whole(jobId, homeOf(home))),
      ...nodes.flatMap(atRest),
      ...[...ledger.programs].map(({ node, jobId, epoch }) => `attempt ${epoch} of job ${jobId} still runs on ${node}`),
    ],
  }
}

interface LogCheck {
  /** The log as it is now. @returns what is wrong with what is new */
  take(bytes: Uint8Array): string | null
  /** Lines of an attempt. */
  lines(epoch: number): number
}

/** Reads a job's log as it grows: the lines of each attempt in order, without a gap, and never more than were written. */
function createLogCheck(jobId: string, ledger: Ledger): LogCheck {
  let size = 0
  let unread = ''
  let epoch = 0
  let lines = new Map<number, number>()

  function line(text: string): string | null {
    const match = /^@(\w+) (\d+) (\d+)\.$/.exec(text)
    if (!match) return null
    const [job, attempt, number] = [match[1], Number(match[2]), Number(match[3])]
    if (job !== jobId) return `the log of job ${jobId} has a line of job ${job}`
    // What was set aside and finished first is put, whole, behind what the job had logged meanwhile.
    const keepsBoth = ledger.accepted.get(jobId)?.keepsBoth === true
    if (attempt < epoch && !keepsBoth) return `the log of job ${jobId} has a line of attempt ${attempt} after those of ${epoch}`
    if (keepsBoth && number === 0) lines.delete(attempt)
    epoch = Math.max(epoch, attempt)
    const next = lines.get(attempt) ?? 0
    if (number !== next) return `the log of attempt ${jobId} ${attempt} has line ${number} where ${next} should be`
    if (number >= (ledger.lines.get(attemptName(jobId, attempt)) ?? 0))
      return `line ${number} of ${jobId} ${attempt} was never written`
    lines.set(attempt, number + 1)
    return null
  }

  return {
    lines: attempt => lines.get(attempt) ?? 0,
    take(bytes) {
      if (bytes.byteLength === size) return null
      if (bytes.byteLength < size) {
        // The power was gone: what was not synced is lost, and read again.
        ;[size, unread, epoch, lines] = [0, '', 0, new Map()]
      }
      const parts = (unread + new TextDecoder().decode(bytes.subarray(size))).split('\n')
      size = bytes.byteLength
      unread = parts.pop() ?? ''
      for (const text of parts) {
        const problem = line(text)
        if (problem) return problem
      }
      return null
    },
  }
}
