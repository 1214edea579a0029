import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAtLeast } from '#shared/model/index.ts'
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

  const container: Candidate = {
    ...good,
    executor: 'container',
    isolation: 'container',
    levels: ['container', 'vm'],
    detail: 'podman',
  }
  const cluster: Candidate = { ...container, executor: 'kubernetes', detail: 'a cluster' }
  const any = { executor: 'auto', sandbox: 'required' } as const

  it('takes the lightest that can do it where the job names none', () => {
    expect(place(any, [good, container])).toMatchObject({ executor: 'process', isolation: 'process' })
    expect(place(any, [bad, container])).toMatchObject({ executor: 'container', why: expect.stringContaining('bwrap') })
    expect(place({ ...any, image: 'node:24' }, [good, container])).toMatchObject({
      executor: 'container',
      isolation: 'container',
    })
    expect(place({ ...any, gpus: 1 }, [good, container, cluster])).toMatchObject({ executor: 'kubernetes' })
    expect(place({ ...any, gpus: 1 }, [good, container])).toMatchObject({
      ok: false,
      why: expect.stringContaining('"container" gives no GPUs'),
    })
    expect(place({ ...any, isolation: 'vm' }, [good, container])).toMatchObject({ executor: 'container', isolation: 'vm' })
    expect(place({ ...any, sandbox: 'none' }, [good, container])).toMatchObject({ executor: 'process', isolation: 'none' })
  })

  it('refuses what nothing here gives, and says what there is', () => {
    expect(place({ ...any, isolation: 'vm' }, [good])).toMatchObject({
      ok: false,
      why: 'Executor "process" gives isolation process, and the job needs vm.',
    })
    expect(place({ ...any, image: 'node:24' }, [good])).toMatchObject({ ok: false, why: expect.stringContaining('no image') })
  })

  it('never gives less isolation than was asked for, nor another executor, nor one that is not there', () => {
    const level = fc.constantFrom('none', 'process', 'container', 'vm' as const)
    const candidate = fc.record({
      executor: fc.constantFrom('process', 'container', 'kubernetes'),
      isolation: level,
      levels: fc.option(fc.uniqueArray(level, { minLength: 1 }), { nil: undefined }),
      available: fc.boolean(),
      detail: fc.constant('found'),
      remedy: fc.constant(null),
    })
    const wanted = fc.record({
      executor: fc.constantFrom('auto', 'process', 'container', 'kubernetes'),
      isolation: fc.option(level, { nil: undefined }),
      image: fc.option(fc.constant('node:24'), { nil: undefined }),
    })
    fc.assert(
      fc.property(wanted, fc.array(candidate), (job, candidates) => {
        const placement = place({ ...job, sandbox: 'required' }, candidates)
        expect(placement.why).not.toBe('')
        if (!placement.ok) return
        expect(candidates.some(({ executor, available }) => available && executor === placement.executor)).toBe(true)
        expect(job.executor === 'auto' || placement.executor === job.executor).toBe(true)
        expect(job.isolation === undefined || isAtLeast(placement.isolation, job.isolation)).toBe(true)
        expect(job.image === undefined || placement.executor !== 'process').toBe(true)
      }),
    )
  })
})
