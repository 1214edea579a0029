import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { programExists } from './program-path.ts'

const host = mkdtempSync(join(tmpdir(), 'skein-path-'))
afterAll(() => rmSync(host, { recursive: true, force: true }))
for (const directory of ['tmp', 'work/bin', 'shown']) mkdirSync(join(host, directory), { recursive: true })
for (const file of ['work/bin/tool', 'shown/node']) writeFileSync(join(host, file), '')

/** A sandbox whose own /tmp hides the host's, but for one directory that is shown there. */
const search = {
  path: `/work/bin:${host}/shown`,
  workDir: '/work',
  places: [
    { inside: `${host}/shown`, host: `${host}/shown` },
    { inside: '/work', host: join(host, 'work') },
    { inside: '/tmp', host: join(host, 'tmp') },
  ],
}

describe('whether a program is in a sandbox', () => {
  it.each(['tool', '/work/bin/tool', 'bin/tool', 'node', `${host}/shown/node`])('%s is', name => {
    expect(programExists(name, search)).toBe(true)
  })

  it.each(['', 'absent', '/tmp/absent', `${host}/work/bin/tool`])('%s is not', name => {
    expect(programExists(name, search)).toBe(false)
  })

  it('takes a file that is shown by itself', () => {
    const file = `${host}/shown/node`
    expect(programExists(file, { ...search, places: [{ inside: file, host: file }, ...search.places] })).toBe(true)
  })
})
