import { describe, expect, it } from 'vitest'
import { hasSandbox, startNode } from './node.ts'

/** Values by name and labels, as Prometheus would read them (exposition format 0.0.4). */
function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

describe.skipIf(!hasSandbox)('metrics', () => {
  it('tell what happened, and nothing that has no bound', async () => {
    await using node = await startNode()
    const { job } = await node.run({ agent: 'command', argv: ['true'] })
    await node.run({ agent: 'command', argv: ['false'] })
    const answer = await node.client.metrics()
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const text = await answer.text()
    const figures = parse(text)
    expect(figures.get('skein_jobs_created_total')).toBe(2)
    expect(figures.get('skein_jobs_ended_total{state="succeeded"}')).toBe(1)
    expect(figures.get('skein_jobs_ended_total{state="failed"}')).toBe(1)
    expect(figures.get('skein_attempt_run_seconds_count')).toBe(1)
    expect(figures.get('skein_places_busy')).toBe(0)
    expect(figures.get('skein_store_transactions')).toBeGreaterThan(2)
    expect(figures.get('process_resident_memory_bytes')).toBeGreaterThan(1e7)
    expect(text).not.toContain(job.id)
  })

  it('need the token', async () => {
    await using node = await startNode()
    expect((await fetch(`${node.url}/metrics`)).status).toBe(401)
  })
})
