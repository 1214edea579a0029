import type { KeptRow, LearnedStore, Lesson } from '../learned.ts'
import type { Statements } from './statements.ts'

/** Rows kept of each kind: a new one takes the place of the oldest. */
const MOST = 2048

/** One statement, whose row takes the place of the oldest once there are enough: the tables are rings. */
const insert = (table: 'ran' | 'kept', columns: readonly string[]): string => {
  const next = `coalesce((SELECT max(n) FROM ${table}), 0) + 1`
  return `INSERT OR REPLACE INTO ${table} (slot, n, ${columns.join(', ')})
    VALUES ((${next}) % ${MOST}, ${next}, ${columns.map(() => '?').join(', ')})`
}

const RAN = insert('ran', ['agent', 'executor', 'model', 'repository', 'ms'])
const KEPT = insert('kept', ['node', 'agent', 'executor', 'model', 'promised_start', 'promised_run', 'start', 'run'])

/** Remembers what the end of an attempt teaches, in the transaction that ends it. */
export function learn(statements: Statements, { ran, kept }: Lesson): void {
  if (ran) statements.run(RAN, ran.agent, ran.executor, ran.model, ran.repository, Math.round(ran.ms))
  if (kept) {
    const { node, agent, executor, model, promised, actual } = kept
    const times = [promised.startMs, promised.runMs, actual.startMs, actual.runMs].map(Math.round)
    statements.run(KEPT, node, agent, executor, model, ...times)
  }
}

export function createLearned({ all }: Statements): LearnedStore {
  return {
    ran: async () => all('SELECT agent, executor, model, repository, ms FROM ran ORDER BY n'),
    async kept() {
      const rows = all<KeptRow & { promised_start: number; promised_run: number; start: number; run: number }>(
        'SELECT node, agent, executor, model, promised_start, promised_run, start, run FROM kept ORDER BY n',
      )
      return rows.map(({ promised_start, promised_run, start, run, ...row }) => ({
        ...row,
        promised: { startMs: promised_start, runMs: promised_run },
        actual: { startMs: start, runMs: run },
      }))
    },
  }
}
