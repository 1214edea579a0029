import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'

const execute = promisify(execFile)
const scripts = new URL('../../scripts/', import.meta.url).pathname

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skein-scripts-'))
  await mkdir(join(directory, 'bin'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** A program that writes down how it was called, one argument a line and an empty line behind each call. */
async function fakeEngine(name: string, body = 'exit 0'): Promise<void> {
  const file = join(directory, 'bin', name)
  await writeFile(file, `#!/bin/bash\nprintf '%s\\n' "$@" '' >>"${join(directory, name)}.calls"\n${body}\n`)
  await chmod(file, 0o755)
}

async function calls(name: string): Promise<string[][]> {
  const text = await readFile(join(directory, `${name}.calls`), 'utf8').catch(() => '')
  return text
    .split('\n\n')
    .filter(call => call !== '')
    .map(call => call.split('\n'))
}

async function run(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const path = [join(directory, 'bin'), '/usr/bin', '/bin'].join(':')
  const options = { env: { PATH: path, HOME: directory, ...env }, cwd: directory }
  return execute('bash', [join(scripts, script), ...args], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

const SCRIPTS = ['build_orchestrator.sh', 'build_runner.sh', 'run_orchestrator.sh']

test.each(SCRIPTS)('%s says what it does and refuses what it does not know', async script => {
  expect(await run(script, ['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining(`Usage: scripts/${script}`) })
  expect(await run(script, ['--nonsense'])).toMatchObject({ code: 64, stderr: expect.stringContaining('--nonsense') })
  expect(await run(script, [script.startsWith('run') ? '--image' : '--tag'])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('needs a value'),
  })
})

test.each(SCRIPTS)('%s takes podman where the daemon of docker does not answer', async script => {
  await fakeEngine('docker', 'exit 1')
  await fakeEngine('podman', 'exit 1')
  expect(await run(script, [])).toMatchObject({ code: 69, stderr: expect.stringContaining('daemon does not answer') })
  await fakeEngine('podman', '[ "$1" != container ]')
  await run(script, ['--wait', '0'].slice(script.startsWith('run') ? 0 : 2))
  expect((await calls('docker')).every(([verb]) => verb === 'info')).toBe(true)
  expect((await calls('podman')).map(([verb]) => verb)).toContain(script.startsWith('run') ? 'run' : 'build')
})

test('an engine that is named and not there is told of', async () => {
  expect(await run('build_orchestrator.sh', [], { SKEIN_ENGINE: 'no-such-engine' })).toMatchObject({
    code: 69,
    stderr: expect.stringContaining('no-such-engine'),
  })
})

test('what is given stays one argument each, whatever is in it', async () => {
  await fakeEngine('podman')
  const hostile = 'a b;$(touch x)`touch y`'
  await run('build_orchestrator.sh', ['--tag', hostile, '--no-sbom', '--', '--label', 'note=two  words'], {
    SKEIN_ENGINE: 'podman',
  })
  const build = (await calls('podman')).find(([verb]) => verb === 'build') ?? []
  expect(build).toContain(hostile)
  expect(build).toContain('note=two  words')
  expect(await readFile(join(directory, 'x'), 'utf8').catch(() => null)).toBeNull()
})

test('an agent is a package with its version, and nothing that npm or a shell would take for more', async () => {
  await fakeEngine('podman')
  const build = (...agents: string[]) =>
    run('build_runner.sh', [...agents.flatMap(agent => ['--agent', agent]), '--base-image', 'b', '--no-sbom'], {
      SKEIN_ENGINE: 'podman',
    })
  for (const hostile of [
    'opencode-ai',
    '--global@1',
    '/etc@1',
    'a@1 b',
    'a@1;reboot',
    'a@$(reboot)',
    'git+https://host/a@1',
    '../a@1',
  ])
    expect(await build(hostile), hostile).toMatchObject({ code: 64, stderr: expect.stringContaining('not a package') })
  expect(await calls('podman')).toEqual([])
  expect(await build('opencode-ai@1.2.3', '@scope/agent@2.0.0-rc.1')).toMatchObject({ code: 0 })
  const [command = []] = await calls('podman')
  expect(command).toContain('AGENTS=opencode-ai@1.2.3 @scope/agent@2.0.0-rc.1')
  expect(command).toContain('BASE_IMAGE=b')
  expect(command[command.indexOf('--target') + 1]).toBe('runner')
})

test('a run is read-only, without rights and on loopback, and is not begun for what is missing', async () => {
  await fakeEngine('podman', '[ "$1" != container ]')
  const env = { SKEIN_ENGINE: 'podman' }
  const missing = join(directory, 'skein.yaml')
  expect(await run('run_orchestrator.sh', ['--config', missing], env)).toMatchObject({
    code: 66,
    stderr: expect.stringContaining(missing),
  })
  expect(await run('run_orchestrator.sh', ['--port', '80a'], env)).toMatchObject({ code: 64 })
  expect(await calls('podman')).toEqual([])

  await writeFile(missing, 'log: { level: warn }\n')
  expect(await run('run_orchestrator.sh', ['--config', missing, '--port', '18080'], env)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('http://127.0.0.1:18080'),
  })
  const [command = []] = (await calls('podman')).filter(([verb]) => verb === 'run')
  expect(command).toEqual(expect.arrayContaining(['--read-only', '--cap-drop', 'ALL', 'no-new-privileges']))
  expect(command[command.indexOf('--publish') + 1]).toBe('127.0.0.1:18080:8080')
  expect(command).toContain(`${missing}:/etc/skein/skein.yaml:ro`)
  expect(command.join(' ')).not.toMatch(/unconfined|privileged=true|docker\.sock/)
})

test('a second container of the same name is not begun', async () => {
  await fakeEngine('podman')
  expect(await run('run_orchestrator.sh', [], { SKEIN_ENGINE: 'podman' })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is a container skein already'),
  })
})
