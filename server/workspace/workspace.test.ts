import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fingerprint, newJobId, newRepo, newWorkspace } from './fixture.ts'

test('a dirty work tree goes out, is changed and comes home', async () => {
  const repo = newRepo({ 'a.txt': 'one\n', 'b.txt': 'two\n', '.gitignore': 'ignored\n' })
  repo.write('a.txt', 'staged\n')
  repo.git('add', 'a.txt')
  repo.write('a.txt', 'unstaged\n')
  repo.write('new file.txt', 'untracked\n')
  repo.write('ignored', 'no\n')
  const before = fingerprint(repo.path)
  const { workspace, place } = newWorkspace()
  const jobId = newJobId()

  const snapshot = await workspace.snapshot({ path: repo.path, include: 'changes' }, jobId)
  expect(fingerprint(repo.path)).toEqual(before)
  expect(snapshot).toMatchObject({ base: repo.git('rev-parse', 'HEAD'), dirty: true, branch: 'main' })

  const dir = place()
  const { mounts } = await workspace.checkout(snapshot, snapshot.commit, dir)
  expect(mounts).toHaveLength(1)
  expect(readFileSync(join(dir, 'a.txt'), 'utf8')).toBe('unstaged\n')
  expect(readFileSync(join(dir, 'new file.txt'), 'utf8')).toBe('untracked\n')
  expect(existsSync(join(dir, 'ignored'))).toBe(false)
  expect(execFileSync('git', ['status', '--porcelain'], { cwd: dir, encoding: 'utf8' })).toBe('')

  writeFileSync(join(dir, 'a.txt'), 'agent\n')
  writeFileSync(join(dir, 'made.txt'), 'agent\n')
  rmSync(join(dir, 'b.txt'))
  const result = await workspace.commitResult({
    snapshot,
    dir,
    jobId,
    epoch: 1,
    message: 'Do it',
    trailers: { 'Skein-Job': jobId },
    maxBytes: 1e6,
  })
  expect(result.warnings).toEqual([])
  expect(result.diffStat.changes.map(({ path, status }) => [path, status])).toEqual([
    ['a.txt', 'modified'],
    ['b.txt', 'deleted'],
    ['made.txt', 'added'],
  ])
  const ref = await workspace.deliver(snapshot, result.commit ?? '', jobId, repo.path)
  expect(repo.git('rev-parse', ref)).toBe(result.commit)
  expect(repo.git('log', '-1', '--format=%an|%s|%(trailers:key=Skein-Job,valueonly)', ref).trim()).toBe(`Skein|Do it|${jobId}`)
  expect(repo.git('rev-parse', `${ref}^`)).toBe(snapshot.commit)
})
