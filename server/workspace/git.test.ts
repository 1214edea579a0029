import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newRepo, newWorkspace, temporary } from './fixture.ts'
import { createGit } from './git.ts'

function fake(version: string): string {
  const file = join(temporary(), 'git')
  writeFileSync(file, `#!/bin/sh\n[ "$*" = version ] && echo 'git version ${version}' || exec git "$@"\n`, { mode: 0o755 })
  return file
}

const snapshotBy = (git: string) =>
  newWorkspace(git).workspace.snapshot({ path: newRepo({ a: '1\n' }).path, include: 'head' }, 'job00000000000')

test.each(['2.37.7', '1.9.5', '2.9'])('git %s is refused with what is needed, before it does anything', async version => {
  await expect(snapshotBy(fake(version))).rejects.toMatchObject({
    code: 'git_failed',
    message: `git version ${version} is too old.`,
    remedy: expect.stringContaining('git 2.38 or newer'),
  })
})

test.each(['2.38.0', '2.39.5 (Apple Git-154)', '3.0.1'])('git %s is taken', async version => {
  expect(await snapshotBy(fake(version))).toMatchObject({ commit: expect.stringMatching(/^[0-9a-f]{40}$/) })
})

test('a git that is not there is told of, and found once it is', async () => {
  const command = join(temporary(), 'git')
  const git = createGit({ command })
  const version = () => git.text(['version'], { trust: 'none' })
  await expect(version()).rejects.toMatchObject({ code: 'git_failed', remedy: expect.stringContaining('Install git') })
  writeFileSync(command, '#!/bin/sh\necho git version 2.40.0\n', { mode: 0o755 })
  expect(await version()).toBe('git version 2.40.0')
})
