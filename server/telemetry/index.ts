import { type Logger, pino } from 'pino'
import type { JobEvent } from '#shared/model/index.ts'
import type { MetricSources, Metrics } from './metrics.ts'

export type Log = Logger

/** JSON lines on stderr, so that stdout stays for programs. Values that look like secrets never get this far (see access/). */
export function createLog(level: string): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }))
}

/** Figures of this node. The library behind them is loaded with the first event or question, so that a start does not wait for it. */
export function lazyMetrics(sources: MetricSources): { count(events: readonly JobEvent[]): void; text(): Promise<string> } {
  let loading: Promise<Metrics> | null = null
  const load = () => {
    loading ??= import('./metrics.ts').then(({ createMetrics }) => createMetrics(sources))
    return loading
  }
  return {
    count: events => void load().then(metrics => metrics.count(events)),
    text: async () => (await load()).text(),
  }
}
