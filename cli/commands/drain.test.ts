import { describe, expect, it } from 'vitest'
import type { DrainStatus } from '#shared/model/index.ts'
import { renderDrain } from './drain.ts'

const NOW = Date.UTC(2026, 0, 1)
const nothing: DrainStatus = { draining: true, since: null, handBackAt: null, running: [], queued: 0 }
const attempt = { jobId: '0123456789abcd', epoch: 2, title: 'mend\u001b[31m it', state: 'running' as const }

describe('how a drain is shown', () => {
  it('says when there is none, and when nothing is left', () => {
    expect(renderDrain({ ...nothing, draining: false }, NOW)).toEqual(['Attempts are taken.'])
    expect(renderDrain(nothing, NOW)).toEqual(['No attempts are taken, and none runs.'])
  })

  it('lists what still runs, whose it is, and when it is given back', () => {
    const running = [
      { ...attempt, home: null },
      { ...attempt, home: { node: 'a'.repeat(26), name: 'laptop' } },
    ]
    const handBackAt = new Date(NOW + 90_000).toISOString()
    expect(renderDrain({ ...nothing, running, handBackAt, queued: 3 }, NOW)).toEqual([
      'No attempts are taken; 2 still run:',
      '  0123456789abcd  attempt 2 of this node, running: mend it',
      '  0123456789abcd  attempt 2 of laptop, running: mend it',
      'Those of other nodes are given back in 1m 30s.',
      '3 jobs of this node wait for another node, or for `skein drain --off`.',
    ])
  })
})
