import fc from 'fast-check'
import { expect, it } from 'vitest'
import { JOB_TABS, type Route } from '#shared/webview/index.ts'
import { fromHash, toHash } from './route-hash.ts'

const jobId = fc.string({ unit: fc.constantFrom(...'0123456789abcz'), minLength: 14, maxLength: 14 })
const name = fc.string({ minLength: 1, unit: 'grapheme' })
const routes: fc.Arbitrary<Route> = fc.oneof(
  fc.constant<Route>({ page: 'jobs' }),
  fc.constant<Route>({ page: 'fleet' }),
  fc.record({ page: fc.constant('job' as const), jobId, tab: fc.constantFrom(...JOB_TABS.filter(tab => tab !== 'log')) }),
  fc.record({ page: fc.constant('job' as const), jobId }),
  fc.record({ page: fc.constant('run' as const), repository: name, feature: name }),
)

it('reads what it writes', () => {
  fc.assert(fc.property(routes, route => void expect(fromHash(toHash(route))).toEqual(route)))
})

it('shows nothing for what is no address of ours, and throws at none', () => {
  for (const hash of ['#/nope', '#/jobs/../../etc', '#/run/a', '#/run/%zz/x']) expect(fromHash(hash)).toBeNull()
  fc.assert(fc.property(fc.string(), text => void fromHash(text)))
})
