import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const CHUNKS = join(ROOT, 'dist/chunks')

/** Schemas that may be made until a server is ready: each takes about 25 µs of the start (decision 0127). */
const SCHEMAS = 800

/** Text of the chunks that are loaded when one is, its own included. */
function loadedWith(name: string, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(name)) return seen
  const text = readFileSync(join(CHUNKS, name), 'utf8')
  seen.set(name, text)
  for (const [, other = ''] of text.matchAll(/(?:from|import)"\.\/([^"]+)"/g)) loadedWith(other, seen)
  return seen
}

/** A user who has nothing yet, and the environment of a server of theirs. */
function freshUser() {
  const dataDir = mkdtempSync(join(tmpdir(), 'skein-start-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  return {
    dataDir,
    env: { PATH: process.env.PATH, HOME: dataDir, SKEIN_DATA_DIR: dataDir, API_PORT: '0', SKEIN_TAILSCALE_SOCKET: 'off' },
  }
}

test('a server starts without what answers requests, and without the schemas of jobs and of the fleet', () => {
  const entry = readdirSync(CHUNKS).find(name => name.startsWith('serve-')) ?? ''
  const texts = [...loadedWith(entry).values()]
  expect(texts.filter(text => text.includes('id:"Config"'))).toHaveLength(1)
  const late = [
    'JobEvent',
    'JobSpec',
    'Award',
    'PlacementRecord',
    'JobPage',
    'Result',
    'SpecFeature',
    'Workload',
    'ModelQuestion',
  ]
  for (const id of late) expect(texts.filter(text => text.includes(`id:"${id}"`))).toEqual([])
})

test('the language server is loaded by nothing but its own command', () => {
  const names = readdirSync(CHUNKS)
  const speaks = (command: string): boolean => {
    const entry = names.find(name => name.startsWith(`${command}-`)) ?? ''
    return [...loadedWith(entry).values()].some(text => text.includes('textDocument/didOpen'))
  }
  expect(['lsp', 'serve', 'jobs', 'run', 'doctor'].map(speaks)).toEqual([true, false, false, false, false])
  expect(readFileSync(join(ROOT, 'dist/skein.mjs'), 'utf8')).not.toContain('textDocument/didOpen')
})

test('when it says that it is ready it has made few schemas and not loaded the Fetch API, and it answers at once', async () => {
  const { env } = freshUser()
  const tell = `
    const { write } = process.stdout
    let schemas = 0
    globalThis.__zod_globalConfig = { postProcessor: () => { schemas++ } }
    process.stdout.write = function (...text) {
      process.stdout.write = write
      process.stderr.write('schemas: ' + schemas + '\\n')
      process.stderr.write('undici: ' + process.moduleLoadList.some(name => name.endsWith('deps/undici/undici')) + '\\n')
      return write.apply(this, text)
    }`
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(tell)}`, join(ROOT, 'bin/skein.js'), 'serve', '--json'],
    { env },
  )
  onTestFinished(async () => {
    const gone = once(child, 'exit')
    if (child.exitCode === null && child.kill()) await gone
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  expect((await fetch(`${url}/ready`)).status).toBe(200)
  expect(said).toContain('undici: false')
  const schemas = Number(/schemas: (\d+)/.exec(said)?.[1])
  expect(schemas).toBeGreaterThan(100)
  expect(schemas).toBeLessThan(SCHEMAS)
})

test('what is shipped reads a settings file, and says what is wrong with one', () => {
  const { dataDir, env } = freshUser()
  const doctorWith = (settings: string) => {
    const file = join(dataDir, 'skein.yaml')
    writeFileSync(file, settings)
    return spawnSync(process.execPath, [join(ROOT, 'bin/skein.js'), 'doctor', '--config', file, '--json'], {
      env,
      encoding: 'utf8',
    })
  }
  const { settings } = JSON.parse(doctorWith('api: { port: 4321 }\n# of its user\n').stdout)
  expect(settings).toContainEqual(expect.objectContaining({ path: 'fleet.bidMs', value: 3_000, source: 'default' }))
  expect(doctorWith('api: [').stderr).toContain('is not YAML')
})
