import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findProgram, versionOf } from './find.ts'

let root: string
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'skein-find-')))
})
afterEach(() => rm(root, { recursive: true }))

async function program(path: string, script = 'echo tool 1.2.3', mode = 0o755): Promise<string> {
  const file = join(root, path)
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, mode)
  return file
}

describe('a program on PATH', () => {
  it('is the first that may be run, as a shell would have it', async () => {
    await program('a/tool', '', 0o644)
    await mkdir(join(root, 'b/tool'), { recursive: true })
    const file = await program('c/tool')
    await program('d/tool')
    const path = ['a', 'missing', 'b', 'c', 'd'].map(name => join(root, name)).join(delimiter)
    expect(await findProgram('tool', path)).toEqual({ command: file, file, mounts: [file] })
    expect(await findProgram(file, '')).toMatchObject({ file })
    expect(await findProgram('other', path)).toBeNull()
  })

  it('is not looked for in relative directories, which a repository could fill', async () => {
    await program('bin/tool')
    expect(await findProgram('tool', ['.', '', relative(process.cwd(), join(root, 'bin'))].join(delimiter))).toBeNull()
    expect(await findProgram('bin/tool', root)).toMatchObject({ file: join(root, 'bin/tool') })
  })

  it('brings the whole tree that npm installed it into, and its link', async () => {
    const file = await program('lib/node_modules/@scope/tool/bin/cli.js')
    const link = join(root, 'tool')
    await symlink(file, link)
    expect(await findProgram('tool', root)).toEqual({ command: link, file, mounts: [link, join(root, 'lib/node_modules')] })
  })
})

describe('its version', () => {
  const found = async (script: string) => {
    const file = await program('tool', script)
    return versionOf({ command: file, file, mounts: [] }, process.env.PATH ?? '')
  }

  it('is the first number of what --version prints', async () => {
    expect(await found('echo "tool version 1.18.33-rc1 (linux)"')).toBe('1.18.33-rc1')
  })

  it('ends with the number, whatever the sentence goes on with', async () => {
    expect(await found('echo "Tool 1.0.102."')).toBe('1.0.102')
  })

  it('is not waited for where a program listens instead', async () => {
    expect(await found('cat; echo 1.2.3')).toBe('1.2.3')
  })

  it('is unknown where the program fails, or says none', async () => {
    expect(await found('echo 1.2.3; exit 1')).toBeNull()
    expect(await found('echo hello')).toBeNull()
  })

  it('is asked without the environment of the server', async () => {
    process.env.SKEIN_TEST_SECRET_VERSION = '9.9.9'
    expect(await found('echo "1.0$SKEIN_TEST_SECRET_VERSION"')).toBe('1.0')
    delete process.env.SKEIN_TEST_SECRET_VERSION
  })
})
