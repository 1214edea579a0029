import { describe, expect, it } from 'vitest'
import { type Candidate, place } from './index.ts'

const good: Candidate = { executor: 'process', isolation: 'process', available: true, detail: 'bubblewrap 0.8', remedy: null }
const bad: Candidate = { ...good, available: false, detail: 'bwrap is not installed', remedy: 'apt install bubblewrap' }

describe('placement on one node', () => {
  it('takes the executor the job names and says why', () => {
    expect(place({ executor: 'process', sandbox: 'required' }, [good])).toMatchObject({
      ok: true,
      executor: 'process',
      isolation: 'process',
    })
  })

  it('refuses a job without a sandbox to run in, and tells how to get one', () => {
    expect(place({ executor: 'process', sandbox: 'required' }, [bad])).toEqual({
      ok: false,
      why: expect.stringContaining('bwrap is not installed'),
      remedy: 'apt install bubblewrap',
    })
  })

  it('runs without a sandbox only where the job says so', () => {
    expect(place({ executor: 'process', sandbox: 'none' }, [bad])).toMatchObject({ ok: true, isolation: 'none' })
  })

  it('refuses an executor this node does not have', () => {
    expect(place({ executor: 'process', sandbox: 'none' }, [])).toMatchObject({ ok: false })
  })
})
