import { describe, expect, it } from 'vitest'
import { ARROWS, ATTEMPT_STATES, END_STATES, isEnd, JOB_STATES, mayMove } from './state.ts'

describe('the life of a job', () => {
  it('goes the long way to success', () => {
    const way = ['queued', 'placing', 'preparing', 'running', 'checking', 'succeeded'] as const
    for (const [index, state] of way.slice(0, -1).entries()) expect(mayMove(state, way[index + 1] ?? state)).toBe(true)
  })

  it('never leaves an end', () => {
    for (const state of JOB_STATES) expect(isEnd(state)).toBe((END_STATES as readonly string[]).includes(state))
    for (const end of END_STATES) for (const state of JOB_STATES) expect(mayMove(end, state)).toBe(false)
  })

  it('can fail and be cancelled from everywhere else', () => {
    for (const state of JOB_STATES.filter(state => !isEnd(state))) {
      expect(ARROWS[state]).toContain('failed')
      expect(ARROWS[state]).toContain('cancelled')
    }
  })

  it('takes a lost attempt back to the queue from every state of an attempt, and only from there', () => {
    for (const state of JOB_STATES) expect(mayMove(state, 'queued')).toBe((ATTEMPT_STATES as readonly string[]).includes(state))
  })

  it('succeeds only from checking', () => {
    expect(JOB_STATES.filter(state => mayMove(state, 'succeeded'))).toEqual(['checking'])
  })
})
