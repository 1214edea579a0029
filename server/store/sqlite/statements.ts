import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

export type Value = SQLInputValue

/** Statements by their text, prepared once, and a count of what was executed. Rows are what the query names; the caller says so. */
export interface Statements {
  run(sql: string, ...values: Value[]): number
  get<Row>(sql: string, ...values: Value[]): Row | undefined
  all<Row>(sql: string, ...values: Value[]): Row[]
  executed(): number
}

export function createStatements(db: DatabaseSync): Statements {
  const prepared = new Map<string, StatementSync>()
  let executed = 0

  function statement(sql: string): StatementSync {
    executed += 1
    let found = prepared.get(sql)
    if (!found) {
      found = db.prepare(sql)
      prepared.set(sql, found)
    }
    return found
  }

  return {
    run: (sql, ...values) => Number(statement(sql).run(...values).changes),
    get: <Row>(sql: string, ...values: Value[]) => statement(sql).get(...values) as Row | undefined,
    all: <Row>(sql: string, ...values: Value[]) => statement(sql).all(...values) as Row[],
    executed: () => executed,
  }
}
