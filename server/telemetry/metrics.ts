import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { isEnd, type JobEvent, type JobState } from '#shared/model/index.ts'

/** Seconds, from a program that ends at once to an agent that works for hours. */
const DURATIONS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600]

/** Figures of this node in the format of Prometheus. Counted from events that are written anyway; nothing runs between two questions. */
export interface Metrics {
  count(events: readonly JobEvent[]): void
  text(): Promise<string>
}

/** What is asked when somebody asks for figures. */
export interface MetricSources {
  counts(): { statements: number; transactions: number }
  /** Attempts that hold a place now, and places there are. */
  places(): { busy: number; slots: number }
  readonly version: string
}

export function createMetrics(deps: MetricSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const ended = new Counter({ name: 'skein_jobs_ended_total', help: 'Jobs that ended.', labelNames: ['state'], registers })
  const created = new Counter({ name: 'skein_jobs_created_total', help: 'Jobs that were accepted.', registers })
  const lost = new Counter({ name: 'skein_attempts_lost_total', help: 'Attempts that were cut off.', registers })
  const returned = new Counter({
    name: 'skein_attempts_returned_total',
    help: 'Attempts that came back undone.',
    registers,
  })
  const waited = new Histogram({
    name: 'skein_job_queue_seconds',
    help: 'From acceptance to the first attempt.',
    buckets: DURATIONS,
    registers,
  })
  const ran = new Histogram({
    name: 'skein_attempt_run_seconds',
    help: 'How long accepted attempts ran their agent.',
    buckets: DURATIONS,
    registers,
  })
  const requests = new Counter({
    name: 'skein_model_requests_total',
    help: 'Model requests of jobs.',
    labelNames: ['provider'],
    registers,
  })
  const tokens = new Counter({
    name: 'skein_model_tokens_total',
    help: 'Tokens of jobs.',
    labelNames: ['provider', 'direction'],
    registers,
  })
  const modelSeconds = new Counter({
    name: 'skein_model_seconds_total',
    help: 'Time models took.',
    labelNames: ['provider'],
    registers,
  })
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  gauge('skein_places_busy', 'Attempts that hold a place of this node.', () => deps.places().busy)
  gauge('skein_places', 'Attempts this node takes at once.', () => deps.places().slots)
  gauge('skein_store_statements', 'SQL statements since the start.', () => deps.counts().statements)
  gauge('skein_store_transactions', 'Transactions since the start, one fsync each.', () => deps.counts().transactions)
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  gauge('process_cpu_seconds_total', 'Processor time.', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  new Gauge({ name: 'skein_build_info', help: 'Version of the program.', labelNames: ['version'], registers }).set(
    { version: deps.version },
    1,
  )

  const byType: { readonly [T in JobEvent['body']['type']]?: (body: Extract<JobEvent['body'], { type: T }>) => void } = {
    'job.created': () => created.inc(),
    'job.state': ({ to }) => isEnd(to as JobState) && ended.inc({ state: to }),
    'attempt.lost': () => lost.inc(),
    'attempt.aside': () => lost.inc(),
    'attempt.returned': () => returned.inc(),
    'result.accepted'({ result }) {
      waited.observe(result.durations.queueMs / 1000)
      ran.observe(result.durations.runMs / 1000)
    },
    'model.usage'({ provider, inputTokens, outputTokens, durationMs }) {
      requests.inc({ provider })
      tokens.inc({ provider, direction: 'in' }, inputTokens)
      tokens.inc({ provider, direction: 'out' }, outputTokens)
      modelSeconds.inc({ provider }, durationMs / 1000)
    },
  }
  return {
    count(events) {
      for (const { body } of events) (byType[body.type] as ((body: JobEvent['body']) => void) | undefined)?.(body)
    },
    text: () => registry.metrics(),
  }
}
