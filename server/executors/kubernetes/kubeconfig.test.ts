import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openConnection } from './connection.ts'
import { findKubeconfig, type Surroundings } from './kubeconfig.ts'

const K3S = '/etc/rancher/k3s/k3s.yaml'
const MICROK8S = '/var/snap/microk8s/current/credentials/client.config'
const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

function around(files: readonly string[], env: Surroundings['env'] = {}, unreadable: readonly string[] = []): Surroundings {
  return { env, home: '/home/u', exists: file => files.includes(file), isReadable: file => !unreadable.includes(file) }
}

describe('where the kubeconfig is', () => {
  test.each([
    ['the settings', '/s', around(['/s', '/k'], { KUBECONFIG: '/k' }), ['/s']],
    ['KUBECONFIG', undefined, around(['/k', '/l', '/home/u/.kube/config'], { KUBECONFIG: '/k:/l:/missing' }), ['/k', '/l']],
    ['the usual place', undefined, around(['/home/u/.kube/config', K3S]), ['/home/u/.kube/config']],
    ['k3s', undefined, around([K3S, MICROK8S]), [K3S]],
    ['MicroK8s', undefined, around([MICROK8S]), [MICROK8S]],
  ])('%s', (_, setting, surroundings, files) => {
    expect(findKubeconfig(setting, surroundings)).toMatchObject({ kind: 'files', files })
  })

  test('the cluster it runs in', () => {
    expect(findKubeconfig(undefined, around([TOKEN], { KUBERNETES_SERVICE_HOST: '10.0.0.1' }))).toMatchObject({
      kind: 'in-cluster',
    })
  })

  test.each([
    ['nothing', undefined, around([]), null],
    ['a setting that leads nowhere', '/s', around([]), '/s, which does not exist'],
    ['a KUBECONFIG that leads nowhere', undefined, around([K3S], { KUBECONFIG: '/k' }), 'KUBECONFIG names /k'],
    ['one for root alone', undefined, around([K3S], {}, [K3S]), 'k3s is here, but'],
    ['one that may not be read', undefined, around(['/k'], { KUBECONFIG: '/k' }, ['/k']), 'may not be read'],
  ])('%s is said, with a remedy', (_, setting, surroundings, problem) => {
    const found = findKubeconfig(setting, surroundings)
    expect(found.kind).toBe('nowhere')
    if (found.kind !== 'nowhere') return
    if (problem === null) expect(found.problem).toBeNull()
    else expect(found.problem).toContain(problem)
    expect(found.remedy).not.toBe('')
  })
})

describe('what is in it', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'skein-kubeconfig-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  const clock = { now: Date.now }
  const config = (user: object, changes: object = {}) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [{ name: 'k', cluster: { server: 'https://127.0.0.1:6443/' } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
      ...changes,
    })
  const open = async (text: string, options: { context?: string; pluginTimeoutMs?: number } = {}) => {
    const file = join(directory, 'config')
    await writeFile(file, text)
    return openConnection({ kind: 'files', files: [file], said: file }, { context: undefined, clock, ...options })
  }
  const plugin = async (script: string) => {
    const file = join(directory, 'plugin')
    await writeFile(file, `#!/bin/sh\n${script}\n`)
    await chmod(file, 0o755)
    return file
  }
  const credential = (status: object) =>
    JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status })

  test('a token goes with every request', async () => {
    const connection = await open(config({ token: 'abc' }))
    expect((await connection.options()).headers).toEqual({ Authorization: 'Bearer abc' })
    expect(connection.server).toBe('https://127.0.0.1:6443')
  })

  test.each([
    ['not: [yaml', {}, 'is no kubeconfig'],
    ['', {}, 'is no kubeconfig'],
    [config({}), { context: 'other' }, 'there is no context other; it has c'],
    [config({}, { 'current-context': '' }), {}, 'no context is chosen; it has c'],
    [config({}, { clusters: [] }), {}, 'names a cluster that is not in it'],
    [config({}, { users: [] }), {}, 'names a user who is not in it'],
    [config({}, { clusters: [{ name: 'k', cluster: { server: 'not an address' } }] }), {}, 'is no address'],
    [config({ exec: { args: [] } }), {}, 'exec plug-in without a command'],
  ])('what is wrong is said: %#', async (text, options, words) => {
    await expect(open(text, options)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining(words) })
  })

  test('a plug-in is asked once, by all who ask at once, until its credential runs out or is refused', async () => {
    const count = join(directory, 'count')
    const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString()
    const command = await plugin(
      `echo x >> ${count}; [ -n "$KUBERNETES_EXEC_INFO" ] || exit 9; echo '${credential({ token: 't', expirationTimestamp })}'`,
    )
    const connection = await open(config({ exec: { apiVersion: 'client.authentication.k8s.io/v1', command } }))
    const [one] = await Promise.all([connection.options(), connection.options()])
    await connection.options()
    expect(one.headers).toEqual({ Authorization: 'Bearer t' })
    expect(execFileSync('wc', ['-l', count], { encoding: 'utf8' })).toMatch(/^1 /)
    // By our clock it is good for an hour, and the server does not take it.
    connection.distrust()
    await Promise.all([connection.options(), connection.options()])
    expect(execFileSync('wc', ['-l', count], { encoding: 'utf8' })).toMatch(/^2 /)
    const stale = await plugin(
      `echo x >> ${count}; echo '${credential({ token: 't', expirationTimestamp: '2001-01-01T00:00:00Z' })}'`,
    )
    const other = await open(config({ exec: { command: stale } }))
    await other.options()
    await other.options()
    expect(execFileSync('wc', ['-l', count], { encoding: 'utf8' })).toMatch(/^4 /)
  })

  test('a plug-in that hangs is killed, with what it started', async () => {
    const started = join(directory, 'started')
    const command = await plugin(`sleep 1000 & echo $! > ${started}; wait`)
    const connection = await open(config({ exec: { command } }), { pluginTimeoutMs: 300 })
    await expect(connection.options()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('did not answer in 300 ms'),
    })
    const pid = Number(execFileSync('cat', [started], { encoding: 'utf8' }))
    await expect.poll(() => isThere(pid)).toBe(false)
  })

  test.each([
    ['exit 3', 'failed (3)'],
    ['echo "log in first" >&2; exit 1', 'log in first'],
    ['echo hello', 'printed no ExecCredential'],
    ['yes', 'prints without end'],
  ])('a plug-in that does %j is told on', async (script, words) => {
    const connection = await open(config({ exec: { command: await plugin(script) } }))
    await expect(connection.options()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining(words) })
  })

  test('a plug-in that is not there', async () => {
    const connection = await open(config({ exec: { command: join(directory, 'none') } }))
    await expect(connection.options()).rejects.toThrow('cannot be started')
  })
})

/** A zombie that nobody waited for is over, too. */
function isThere(pid: number): boolean {
  try {
    return (
      execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
        .trim()
        .startsWith('Z') === false
    )
  } catch {
    return false
  }
}
