import { describe, expect, it } from 'vitest'
import { PlacementRecord } from '#shared/model/index.ts'
import type { Paint } from '../terminal.ts'
import { renderPlacements } from './placement.ts'

const plain: Paint = (_, text) => text
const node = (letter: string) => letter.repeat(26)

const terms = {
  startMs: 40_000,
  start90Ms: 90_000,
  waitsBehind: 2,
  runMs: { p50: 60_000, p90: 120_000 },
  finishMs: { p50: 110_000, p90: 200_000 },
  modelLoaded: false,
  repositoryCached: false,
  dependencyCached: false,
  imageCached: true,
  haves: [],
  executor: 'process',
  isolation: 'process',
  load: 1,
  loadPerCore: 1.5,
  power: 'battery',
  price: 2,
}

const record = PlacementRecord.parse({
  epoch: 2,
  at: '2026-01-01T00:00:00.000Z',
  round: 3,
  messages: 5,
  known: 10,
  filtered: [{ node: node('f'), name: 'old\u001B[2J', why: 'It is draining.' }],
  asked: [
    {
      node: node('b'),
      name: 'desk',
      why: 'warm',
      ms: 12,
      answer: {
        kind: 'bid',
        terms,
        score: 500_000,
        parts: { start: 400_000, run: 100_000, model: 0 },
        correction: { attempts: 7, lateMs: 1_500, runFactor: 1.8 },
        trust: 'paired',
      },
    },
    {
      node: node('c'),
      name: 'box',
      why: 'random',
      ms: 3,
      answer: { kind: 'no', isTransient: true, reason: 'full', againMs: 9_000 },
    },
    { node: node('d'), name: 'lap', why: 'random', ms: 3, answer: { kind: 'no', isTransient: false, reason: 'never' } },
    { node: node('e'), name: 'far', why: 'self', ms: 700, answer: { kind: 'silent', problem: 'no route' } },
  ],
  awarded: node('b'),
  outcome: { promised: { startMs: 40_000, runMs: 60_000 }, actual: { startMs: 41_000, runMs: 108_000 } },
})

describe('why a job went where it did', () => {
  it('tells who was asked and why, each answer with what it is made of, and whether the promise was kept', () => {
    expect(renderPlacements([record], plain)).toEqual([
      'attempt 2, announced 2026-01-01T00:00:00.000Z, round 3: asked 4 of 10 nodes, 5 messages',
      '  ✓ desk (asked: warm, 12 ms): score 8m 20s = start 6m 40s + run 1m 40s',
      '      starts behind 2 in 40s (p90 1m 30s), runs 1m (p90 2m), done in 1m 50s (p90 3m 20s)',
      '      executor process (process), slots 100 % taken, load 1.5 a core, on battery, model not loaded, repository not there, has to install, price 2 an hour, paired',
      '      by 7 earlier attempts: starts 1.5s later, runs ×1.8 as long',
      '    box (asked: random, 3 ms): no for now, perhaps again in 9.0s: full',
      '    lap (asked: random, 3 ms): no, for good: never',
      '    far (asked: self, 700 ms): did not answer: no route',
      '    old was not asked: It is draining.',
      '    5 other nodes were not drawn',
      '  start: 40s promised, 41s taken; run: 1m promised, 1m 48s taken',
    ])
  })

  it('still tells of what was kept before bids said so much', () => {
    const old = { ...terms, start90Ms: undefined, finishMs: undefined, power: undefined }
    const answer = { kind: 'bid', terms: old, score: 1, parts: { start: 1 } }
    const kept = {
      epoch: 1,
      at: record.at,
      filtered: [],
      awarded: null,
      asked: [{ node: node('b'), name: 'desk', why: 'self', ms: 1, answer }],
    }
    expect(renderPlacements([PlacementRecord.parse(kept)], plain)).toContain('  nobody took it yet')
  })
})
