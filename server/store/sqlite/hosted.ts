import type { AttemptEnd, Award, EventBody, JobState } from '#shared/model/index.ts'
import type { HostedKey, HostedRow, HostedStore } from '../hosted.ts'
import type { Lesson } from '../learned.ts'
import type { GroupCommit } from './group-commit.ts'
import { learn } from './learned.ts'
import { json } from './rows.ts'
import type { Statements } from './statements.ts'

interface HostedRecord {
  readonly seq: number
  readonly home: string
  readonly job: string
  readonly epoch: number
  readonly state: JobState
  readonly award: string
  readonly ended: string | null
  readonly last_n: number
  readonly accepted_at: number
}

const toRow = (record: HostedRecord): HostedRow => ({
  home: record.home,
  jobId: record.job,
  epoch: record.epoch,
  state: record.state,
  award: JSON.parse(record.award) as Award,
  end: record.ended === null ? null : (JSON.parse(record.ended) as AttemptEnd),
  lastN: record.last_n,
  acceptedAt: record.accepted_at,
})

/** Attempts of other nodes' jobs in the node's own database, so that they share its transactions. */
export function createHosted(statements: Statements, writes: Pick<GroupCommit<unknown>, 'write' | 'writeSoon'>): HostedStore {
  const listeners = new Set<(key: HostedKey) => void>()
  const find = ({ home, jobId, epoch }: HostedKey) =>
    statements.get<HostedRecord>('SELECT * FROM hosted WHERE home = ? AND job = ? AND epoch = ?', home, jobId, epoch)
  const tell = (key: HostedKey) => {
    for (const listener of listeners) listener(key)
  }

  function append(
    key: HostedKey,
    events: readonly EventBody[],
    at: number,
    { state, end, lesson }: { state?: JobState | undefined; end?: AttemptEnd | undefined; lesson?: Lesson | undefined },
  ): boolean {
    const found = find(key)
    if (!found || found.ended !== null) return false
    for (const [index, body] of events.entries())
      statements.run(
        'INSERT INTO hosted_event (hosted, n, at, body) VALUES (?, ?, ?, ?)',
        found.seq,
        found.last_n + index + 1,
        at,
        JSON.stringify(body),
      )
    statements.run(
      'UPDATE hosted SET last_n = ?, state = ?, ended = ? WHERE seq = ?',
      found.last_n + events.length,
      state ?? found.state,
      json(end),
      found.seq,
    )
    if (lesson) learn(statements, lesson)
    return true
  }

  return {
    accept: ({ home, jobId, epoch }, award, at) =>
      writes.write(
        () =>
          statements.run(
            `INSERT INTO hosted (home, job, epoch, state, award, ended, last_n, accepted_at)
              SELECT ?1, ?2, ?3, 'placing', ?4, NULL, 0, ?5
              WHERE NOT EXISTS (SELECT 1 FROM hosted WHERE job = ?2 AND home <> ?1) AND NOT EXISTS (SELECT 1 FROM job WHERE id = ?2)
              ON CONFLICT DO NOTHING`,
            home,
            jobId,
            epoch,
            JSON.stringify(award),
            at,
          ) === 1,
      ),
    async append(key, events, at, { durable = true, ...more } = {}) {
      const done = await (durable ? writes.write : writes.writeSoon)(() => append(key, events, at, more))
      if (done) tell(key)
      return done
    },
    async get(key) {
      const record = find(key)
      return record ? toRow(record) : null
    },
    all: async () => statements.all<HostedRecord>('SELECT * FROM hosted ORDER BY seq').map(toRow),
    async events(key, after, limit) {
      const found = find(key)
      if (!found) return []
      return statements
        .all<{ n: number; at: number; body: string }>(
          'SELECT n, at, body FROM hosted_event WHERE hosted = ? AND n > ? ORDER BY n LIMIT ?',
          found.seq,
          after,
          limit,
        )
        .map(({ n, at, body }) => ({ n, at: new Date(at).toISOString(), body: JSON.parse(body) as EventBody }))
    },
    async forgetEvents(key, upTo) {
      const found = find(key)
      const first =
        found && statements.get<{ n: number | null }>('SELECT min(n) AS n FROM hosted_event WHERE hosted = ?', found.seq)
      // A renewal without news writes nothing.
      if (!found || first?.n == null || first.n > upTo) return
      await writes.writeSoon(() => statements.run('DELETE FROM hosted_event WHERE hosted = ? AND n <= ?', found.seq, upTo))
    },
    async remove(key) {
      await writes.write(() => {
        const found = find(key)
        if (!found) return
        statements.run('DELETE FROM hosted_event WHERE hosted = ?', found.seq)
        statements.run('DELETE FROM hosted WHERE seq = ?', found.seq)
      })
      tell(key)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
