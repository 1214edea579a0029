import { describe, expect, it } from 'vitest'
import { AcceptPolicy } from '#shared/model/index.ts'
import { describePolicy, type PolicyFacts, type PolicyRequest, policy } from './policy.ts'

const laptop = { id: 'b'.repeat(26), name: 'laptop', user: 'ann@example.com', tags: ['tag:dev'] }
const request: PolicyRequest = { home: laptop, isTrusted: true, executor: 'process', labels: {} }
const facts: PolicyFacts = {
  isReady: true,
  isDraining: false,
  now: { day: 2, minute: 12 * 60 },
  power: 'mains',
  load: 0.1,
  hosted: 0,
  missingBytes: 0,
  executors: [{ kind: 'process', available: true, isolation: 'process' }],
}
const judge = (accept: object, more: { request?: Partial<PolicyRequest>; facts?: Partial<PolicyFacts> } = {}) =>
  policy(AcceptPolicy.parse(accept), { ...request, ...more.request }, { ...facts, ...more.facts })
const lasting = { take: false, isTransient: false }
const passing = { take: false, isTransient: true }

describe('the policy of a node', () => {
  it('takes what nothing speaks against', () => {
    expect(judge({})).toEqual({ take: true })
  })

  it('takes nothing of a node it was not told of', () => {
    expect(judge({}, { request: { isTrusted: false } })).toMatchObject({ ...lasting, reason: 'It takes no jobs of yours.' })
  })

  it('never takes a job without a sandbox', () => {
    const missing = [{ kind: 'process', available: false, isolation: 'process' as const }]
    const none = [{ kind: 'process', available: true, isolation: 'none' as const }]
    for (const executors of [missing, none, []]) expect(judge({}, { facts: { executors } })).toMatchObject(lasting)
    // Not there at all is not the same as not able to now.
    const named = judge({}, { request: { executor: 'auto' } })
    expect(named).toMatchObject({ ...lasting, reason: 'It has no executor "auto".' })
  })

  it.each([
    ['executors', { executors: ['container'] }, {}],
    ['isolation', { isolation: ['vm'] }, {}],
    ['labels', { labels: { pool: 'night' } }, { request: { labels: { pool: 'day' } } }],
    ['attempts', { attempts: 0 }, {}],
  ])('says a lasting no by %s', (_, accept, more) => {
    expect(judge(accept, more)).toMatchObject(lasting)
  })

  it.each([
    ['a start', {}, { isReady: false }],
    ['a drain', {}, { isDraining: true }],
    ['hours', { hours: ['mon-fri 18:00-08:00', 'sat,sun'] }, {}],
    ['its battery', { power: 'mains' }, { power: 'battery' }],
    ['work of its own', { idleBelow: 0.5 }, { load: 0.5 }],
    ['a full disk', {}, { missingBytes: 1 }],
    ['attempts it has', { attempts: 2 }, { hosted: 2 }],
  ] as const)('says a passing no for %s', (_, accept, more) => {
    expect(judge(accept, { facts: more })).toMatchObject(passing)
  })

  it('takes them again when that is over', () => {
    const accept = { hours: ['mon-fri 18:00-08:00'], power: 'mains', idleBelow: 0.5, attempts: 2, labels: { pool: 'night' } }
    const now = { day: 2, minute: 19 * 60 }
    expect(judge(accept, { request: { labels: { pool: 'night' } }, facts: { now, hosted: 1 } })).toEqual({ take: true })
  })

  it('says first what will not change by waiting', () => {
    expect(judge({ executors: ['container'] }, { facts: { isDraining: true } })).toMatchObject(lasting)
  })

  it('lets the first entry that names a node stand in place of the rest', () => {
    const accept = {
      hours: ['sat,sun'],
      for: [
        { nodes: ['desktop'], take: false },
        { users: ['ann@example.com'], attempts: 1 },
        { tags: ['tag:dev'], take: false },
      ],
    }
    expect(judge(accept)).toEqual({ take: true })
    expect(judge(accept, { facts: { hosted: 1 } })).toMatchObject(passing)
    expect(judge(accept, { request: { home: { ...laptop, name: 'desktop' } } })).toMatchObject(lasting)
    expect(judge(accept, { request: { home: { ...laptop, user: null } } })).toMatchObject(lasting)
    expect(judge(accept, { request: { home: { ...laptop, user: null, tags: [] } } })).toMatchObject(passing)
  })

  it('lets an entry narrow, never let in', () => {
    expect(judge({ for: [{ nodes: ['laptop'] }] }, { request: { isTrusted: false } })).toMatchObject(lasting)
  })

  it('does not take a machine that does not tell its power for one on battery', () => {
    expect(judge({ power: 'mains' }, { facts: { power: 'unknown' } })).toEqual({ take: true })
  })
})

describe('a policy in words', () => {
  it('says every condition and every exception', () => {
    const accept = AcceptPolicy.parse({
      users: ['ann@example.com'],
      hours: ['22-6'],
      power: 'mains',
      idleBelow: 0.3,
      attempts: 2,
      for: [{ tags: ['tag:ci'], take: false }],
    })
    expect(describePolicy(accept)).toEqual([
      'of nodes that were paired for it or have a grant, and of machines of ann@example.com, by fleet.accept: 2 at once; 22-6; on mains only; while the load is below 30 % of the cores',
      'of tag:ci: none',
      'never without a sandbox',
    ])
    expect(describePolicy(AcceptPolicy.parse({}))[0]).toBe('of nodes that were paired for it or have a grant: at any time')
  })
})
