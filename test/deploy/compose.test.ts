import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readAllowList, ruleFor } from './allow-list.ts'

interface Service {
  readonly command?: readonly string[]
  readonly ports?: readonly string[]
  readonly networks?: readonly string[]
  readonly volumes?: readonly string[]
  readonly profiles?: readonly string[]
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
}

const file = new URL('../../deploy/compose.yaml', import.meta.url)
const compose: Compose = parse(await readFile(file, 'utf8'))
const services = Object.entries(compose.services)

test('one port is published, of the backend, on loopback unless said otherwise', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map(port => [name, port]))
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how Compose writes variables
  expect(published).toEqual([['backend', '${SKEIN_ADDRESS:-127.0.0.1}:${SKEIN_PORT:-8080}:8080']])
})

test('the socket of the engine is mounted into the proxy only, and only the backend reaches the proxy', () => {
  const withSocket = services.filter(([, { volumes = [] }]) => volumes.some(volume => volume.includes('.sock')))
  expect(withSocket.map(([name]) => name)).toEqual(['socket-proxy'])
  const onEngine = services.filter(([, { networks = [] }]) => networks.includes('engine'))
  expect(onEngine.map(([name]) => name).sort()).toEqual(['backend', 'socket-proxy'])
  expect(compose.services['socket-proxy']?.networks).toEqual(['engine'])
})

test('only the backend and Ollama have a way out; agents, proxy and database have none', () => {
  const open = Object.entries(compose.networks).filter(([, network]) => network.internal !== true)
  expect(open.map(([name]) => name)).toEqual(['outside'])
  const out = services.filter(([, { networks = [] }]) => networks.includes('outside'))
  expect(out.map(([name]) => name).sort()).toEqual(['backend', 'ollama'])
})

test.each(['backend', 'socket-proxy'])('%s is read-only and has no rights', name => {
  expect(compose.services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
  expect(compose.services[name]?.security_opt).toContain('no-new-privileges:true')
})

test('models and the database are there when asked for', () => {
  expect(Object.fromEntries(services.map(([name, { profiles }]) => [name, profiles]))).toEqual({
    backend: undefined,
    'socket-proxy': undefined,
    ollama: ['ollama'],
    postgres: ['postgres'],
  })
})

describe('the list of the proxy', () => {
  const rules = readAllowList()
  const lets = (call: string): boolean => {
    const [method = '', path = ''] = call.split(' ')
    return ruleFor(rules, method, path) !== undefined
  }

  test.each([
    'GET /v1.47/version',
    'GET /v1.41/info',
    'GET /v1.41/networks/skein-agents',
    'GET /v4.0.0/libpod/networks/skein-agents/json',
    'GET /v1.41/containers/json',
    'GET /v1.41/containers/skein-01J8-check/json',
    'PUT /v1.41/containers/0a1b2c/archive',
    'POST /v1.41/containers/create',
    'POST /v1.41/containers/0a1b2c/start',
    'POST /v1.41/containers/0a1b2c/wait',
    'DELETE /v1.41/containers/0a1b2c',
    'POST /v1.41/images/create',
    'GET /v1.41/images/json',
    'GET /v1.41/images/registry.example:5000/team/node:24/json',
    'GET /v1.41/images/node@sha256:0123/json',
    'DELETE /v1.41/images/registry.example/team/node:24',
  ])('lets through %s', call => expect(lets(call)).toBe(true))

  test.each([
    'GET /version',
    'GET /v1.41/events',
    'GET /v1.41/containers/0a1b2c/archive',
    'GET /v1.41/containers/0a1b2c/logs',
    'POST /v1.41/containers/0a1b2c/stop',
    'DELETE /v1.41/networks/skein-agents',
    'POST /v1.41/networks/skein-agents/connect',
    'POST /v1.41/containers/0a1b2c/exec',
    'POST /v1.41/exec/0a1b2c/start',
    'POST /v1.41/containers/0a1b2c/attach',
    'GET /v1.41/containers/0a1b2c/attach/ws',
    'GET /v1.41/containers/0a1b2c/export',
    'POST /v1.41/containers/0a1b2c/update',
    'POST /v1.41/containers/prune',
    'POST /v1.41/build',
    'POST /v1.41/commit',
    'POST /v1.41/images/load',
    'POST /v1.41/images/node/push',
    'GET /v1.41/images/get',
    'POST /v1.41/auth',
    'POST /v1.41/networks/create',
    'POST /v1.41/volumes/create',
    'POST /v1.41/plugins/pull',
    'POST /v1.41/swarm/init',
    'GET /v1.41/secrets',
    'GET /v4.0.0/libpod/info',
    'POST /v4.0.0/libpod/containers/create',
    'GET /v1.41/containers/../secrets/json',
    'GET /v1.41/images/../containers/json',
    'GET /v1.41/images/a/../../secrets/json',
    'GET /v1.41/containers/a/b/json',
    'DELETE /v1.41/containers/json/../0a1b2c',
    'PATCH /v1.41/containers/json',
    'GET /v1.41/version/../secrets',
    'GET /anything/v1.41/version',
  ])('refuses %s', call => expect(lets(call)).toBe(false))
})
