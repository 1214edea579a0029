import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Role } from '#shared/model/index.ts'
import { NO_ROLES } from '#test/fakes/mesh.ts'
import type { MeshCaller } from './peer-directory.ts'
import { API_CAPABILITY, type MeshRules, NO_RIGHTS, PEER_CAPABILITY, rightsOf, roleOf } from './rights.ts'

const nobody: MeshRules = { accept: { users: [], tags: [] }, offer: { users: [], tags: [] } }
const caller = (more: Partial<MeshCaller> = {}): MeshCaller => ({
  id: 'n1',
  name: 'desk',
  addresses: ['100.64.0.2'],
  user: 'alice@example.com',
  tags: [],
  grants: {},
  ...more,
})
const bob = { user: 'bob@example.com' }
const both = { runsOurs: true, weRunTheirs: true }

test('a stranger may nothing', () => {
  expect(rightsOf(caller(), bob, nobody)).toEqual(NO_RIGHTS)
})

test('machines of one person are offered jobs, and take none until told', () => {
  expect(rightsOf(caller(), { user: 'alice@example.com' }, nobody)).toEqual({ runsOurs: true, weRunTheirs: false })
})

test('machines under tags are not one person’s, though neither has a user', () => {
  expect(rightsOf(caller({ user: null, tags: ['tag:skein'] }), { user: null }, nobody)).toEqual(NO_RIGHTS)
})

test('a grant gives what it says, and several give the sum', () => {
  const grants = { [PEER_CAPABILITY]: [{ runsOurs: true }, { weRunTheirs: true, comment: 'ours' }] }
  expect(rightsOf(caller({ grants }), bob, nobody)).toEqual(both)
  expect(rightsOf(caller({ grants: { [PEER_CAPABILITY]: [{ weRunTheirs: true }] } }), bob, nobody)).toMatchObject({
    runsOurs: false,
  })
})

test('a grant that makes no sense gives nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.string(), (values, name) => {
      const sane = (value: unknown) => JSON.stringify(value)?.includes('true') ?? false
      const given = rightsOf(
        caller({ grants: { [PEER_CAPABILITY]: values.filter(value => !sane(value)), [name]: values } }),
        bob,
        nobody,
      )
      if (name !== PEER_CAPABILITY) expect(given).toEqual(NO_RIGHTS)
    }),
  )
  const almost = [{ weRunTheirs: 'true' }, { weRunTheirs: 1 }, 'weRunTheirs', null, ['weRunTheirs']]
  expect(rightsOf(caller({ grants: { [PEER_CAPABILITY]: almost } }), bob, nobody)).toEqual(NO_RIGHTS)
})

test('settings name users and tags, each for one direction', () => {
  const accept = { users: ['alice@example.com'], tags: ['tag:farm'] }
  const rules = { ...nobody, accept }
  expect(rightsOf(caller(), bob, rules)).toEqual({ runsOurs: false, weRunTheirs: true })
  expect(rightsOf(caller({ user: null, tags: ['tag:x', 'tag:farm'] }), bob, rules).weRunTheirs).toBe(true)
  expect(rightsOf(caller({ user: null, tags: ['tag:x'] }), bob, rules)).toEqual(NO_RIGHTS)
  expect(rightsOf(caller(), bob, { ...nobody, offer: accept })).toEqual({ runsOurs: true, weRunTheirs: false })
})

describe('the role of a caller', () => {
  const granting = (...values: unknown[]) => caller({ grants: { [API_CAPABILITY]: values } })
  const alices = { users: ['alice@example.com'], tags: [] }

  test('is none until somebody says so, also on machines of one person', () => {
    expect(roleOf(caller(), NO_ROLES)).toBeNull()
  })

  test.each<[string, MeshCaller, typeof NO_ROLES, Role]>([
    ['the policy', granting({ role: 'viewer' }), NO_ROLES, 'viewer'],
    ['the settings', caller(), { ...NO_ROLES, runner: alices }, 'runner'],
    ['a tag', caller({ user: null, tags: ['tag:ci'] }), { ...NO_ROLES, runner: { users: [], tags: ['tag:ci'] } }, 'runner'],
    ['the highest of all', granting({ role: 'viewer' }, { role: 'admin' }), { ...NO_ROLES, runner: alices }, 'admin'],
    ['what can be read of a policy', granting('admin', { role: 'root' }, null, { role: 'runner', more: 1 }), NO_ROLES, 'runner'],
  ])('comes from %s', (_, who, rules, role) => {
    expect(roleOf(who, rules)).toBe(role)
  })

  test('is none of the rights of nodes, nor are those a role', () => {
    expect(roleOf(caller({ grants: { [PEER_CAPABILITY]: [{ ...both, role: 'admin' }] } }), NO_ROLES)).toBeNull()
    expect(rightsOf(granting({ role: 'admin', ...both }), bob, nobody)).toEqual(NO_RIGHTS)
  })
})
