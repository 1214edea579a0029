import { expect, it } from 'vitest'
import { JobSpec } from '#shared/model/index.ts'
import { requireRoleFor } from './role.ts'

const job = (more: object) => JobSpec.parse({ agent: 'command', argv: ['true'], ...more })
const NETWORKS = ['127.0.0.1:8080', '169.254.169.254', '[::1]:80', '[::ffff:10.0.0.1]', '100.64.0.1']

it.each(NETWORKS)('no role but admin runs a job that allows %s: it is of the node’s own network', host => {
  const spec = job({ network: { allow: ['example.com', host] } })
  expect(() => requireRoleFor(spec, { role: 'runner' })).toThrow(host)
  requireRoleFor(spec, { role: 'admin' })
  requireRoleFor(spec, {})
})

it('no role but admin runs a job without a sandbox, and a runner any other', () => {
  expect(() => requireRoleFor(job({ sandbox: 'none' }), { role: 'runner' })).toThrow('without a sandbox')
  requireRoleFor(job({ sandbox: 'none' }), {})
  requireRoleFor(job({ network: { allow: ['example.com', '*.example.com:8443', '1.1.1.1', '[2606:4700::1111]:443'] } }), {
    role: 'runner',
  })
})
