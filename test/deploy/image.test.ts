// The images of the orchestrator and of the runner, built and run by a real engine: SKEIN_TEST_BASE_IMAGE names what they are built on
// (test/lab/image/base makes one where no registry is), SKEIN_ENGINE the engine, SKEIN_TEST_NPMRC the settings of npm while building.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { output, run } from './engine.ts'

const scripts = new URL('../../scripts/', import.meta.url).pathname
const base = process.env.SKEIN_TEST_BASE_IMAGE
const engine = process.env.SKEIN_ENGINE ?? 'podman'
const npmrc = process.env.SKEIN_TEST_NPMRC ? ['--npmrc', process.env.SKEIN_TEST_NPMRC] : []
const mark = `skein-test-${randomBytes(4).toString('hex')}`
const image = `localhost/${mark}:1`
const port = 20_000 + Math.floor(Math.random() * 20_000)

if (!base) console.warn('Skipped: the image of the orchestrator. SKEIN_TEST_BASE_IMAGE names no image to build it on.')

describe.skipIf(!base)('the image of the orchestrator', () => {
  const start = () =>
    run(`${scripts}run_orchestrator.sh`, ['--image', image, '--name', mark, '--volume', mark, '--port', String(port)])
  const stop = () => run(`${scripts}run_orchestrator.sh`, ['--stop', '--name', mark])
  const inside = (...argv: string[]) => run(engine, ['exec', mark, ...argv])
  const inspect = async (kind: 'image' | 'container', name: string, what: string): Promise<unknown> =>
    JSON.parse(await output(engine, kind, 'inspect', '--format', `{{json ${what}}}`, name))

  beforeAll(async () => {
    const network = ['--', '--network', 'host']
    const args = ['--base-image', base ?? '', '--tag', image, '--no-sbom', ...npmrc, ...network]
    const built = await run(`${scripts}build_orchestrator.sh`, args)
    expect(built.stderr, built.stderr).toContain('build')
    expect(built.code, built.stderr.slice(-4_000)).toBe(0)
    const started = await start()
    expect(started.code, started.stderr).toBe(0)
  }, 900_000)
  afterAll(async () => {
    await run(engine, ['rm', '--force', mark])
    await run(engine, ['volume', 'rm', '--force', mark])
    await run(engine, ['image', 'rm', '--force', image])
  })

  test('answers at the published port', async () => {
    expect(await (await fetch(`http://127.0.0.1:${port}/ready`)).json()).toEqual({ ready: true })
    expect((await fetch(`http://127.0.0.1:${port}/v1/jobs`)).status).toBe(401)
  })

  test('is not root, has no rights and writes nowhere but to its data and /tmp', async () => {
    expect((await inside('id', '-u')).stdout.trim()).toBe('10001')
    const status = (await inside('cat', '/proc/1/status')).stdout
    expect(status).toMatch(/CapEff:\t0{16}\n/)
    expect(status).toMatch(/CapBnd:\t0{16}\n/)
    expect(status).toMatch(/NoNewPrivs:\t1\n/)
    for (const path of ['/opt/skein/x', '/etc/x', '/usr/x', '/x']) expect((await inside('touch', path)).code, path).not.toBe(0)
    expect((await inside('touch', '/tmp/x', '/data/x')).code).toBe(0)
  })

  test('says by its own check whether it is healthy', async () => {
    expect((await inside('node', '/opt/skein/healthcheck.mjs')).code).toBe(0)
    const wrong = await run(engine, ['exec', '--env', 'API_PORT=9', mark, 'node', '/opt/skein/healthcheck.mjs'])
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') })
    expect(await inspect('image', image, '.Config.Healthcheck.Test')).toEqual(['CMD', 'node', '/opt/skein/healthcheck.mjs'])
  })

  test('says what it is and what it is made of', async () => {
    const labels = await inspect('image', image, '.Config.Labels')
    expect(labels).toMatchObject({
      'org.opencontainers.image.title': 'skein',
      'org.opencontainers.image.licenses': 'MIT',
      'org.opencontainers.image.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
      'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
    })
    const spdx = JSON.parse((await inside('cat', '/opt/skein/sbom.spdx.json')).stdout)
    const names = spdx.packages.map((entry: { name: string }) => entry.name)
    expect(names).toEqual(expect.arrayContaining(['skein', 'hono', 'pino', 'zod']))
    expect(names).not.toEqual(expect.arrayContaining(['vitest']))
    const cyclonedx = JSON.parse((await inside('cat', '/opt/skein/sbom.cdx.json')).stdout)
    expect(cyclonedx.components).toHaveLength(names.length - 1)
    expect(await inspect('image', image, '.Config.User')).toBe('10001:10001')
    // What builds it stays behind, and so do sources and settings of npm.
    const files = (await inside('ls', '/opt/skein', '/root')).stdout
    expect(files).not.toMatch(/node_modules|npmrc|server/)
  })

  test('ends by SIGTERM in good order and is the same node afterwards', async () => {
    const token = (await inside('cat', '/data/token')).stdout
    const key = (await inside('cat', '/data/node.key')).stdout
    await output(engine, 'stop', '--time', '60', mark)
    expect(await inspect('container', mark, '.State.ExitCode')).toBe(0)
    expect((await stop()).code).toBe(0)
    const again = await start()
    expect(again.code, again.stderr).toBe(0)
    expect((await inside('cat', '/data/token')).stdout).toBe(token)
    expect((await inside('cat', '/data/node.key')).stdout).toBe(key)
    // What says where it listens is gone with an end in good order; a new one was written.
    expect(JSON.parse((await inside('cat', '/data/server.json')).stdout)).toMatchObject({ version: expect.any(String) })
  })

  test('does not begin on data that another container holds, and says so', async () => {
    const second = await run(engine, ['run', '--rm', '--read-only', '--tmpfs', '/tmp', '--volume', `${mark}:/data`, image])
    expect(second.code).not.toBe(0)
    expect(second.stderr + second.stdout).toMatch(/already|holds|in use|another/i)
  })
})

describe.skipIf(!base)('the image of the runner', () => {
  const runner = `localhost/${mark}-runner:1`
  const inside = (...argv: string[]) => run(engine, ['run', '--rm', '--read-only', '--network', 'none', runner, ...argv])

  beforeAll(async () => {
    const args = ['--base-image', base ?? '', '--tag', runner, '--no-sbom', '--agent', 'cowsay@1.6.0', ...npmrc]
    const built = await run(`${scripts}build_runner.sh`, [...args, '--', '--network', 'host'])
    expect(built.code, built.stderr.slice(-4_000)).toBe(0)
  }, 900_000)
  afterAll(() => run(engine, ['image', 'rm', '--force', runner]))

  test('has what a job needs and the agents that were named, and is not root', async () => {
    expect((await inside('id', '-u')).stdout.trim()).toBe('65532')
    for (const program of ['sh', 'node', 'git', 'cowsay'])
      expect(await inside('which', program), program).toMatchObject({ code: 0 })
    const files = (await inside('ls', '/opt/skein')).stdout.trim().split('\n')
    expect(files).toEqual(['LICENSE', 'runner.mjs', 'sbom.cdx.json', 'sbom.spdx.json'])
  })

  test('carries a runner that can be started there', async () => {
    const started = await inside('node', '/opt/skein/runner.mjs', '/no/such/token')
    expect(started.code).not.toBe(0)
    expect(started.stderr).toContain('/no/such/token')
  })

  test('says what of it is ours', async () => {
    const { packages } = JSON.parse((await inside('cat', '/opt/skein/sbom.spdx.json')).stdout)
    expect(packages.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(['skein', 'modern-tar']))
    expect(packages).toHaveLength(2)
  })
})
