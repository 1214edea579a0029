import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Backend } from '../backend/backend.ts'
import { createGit } from './git.ts'
import { contentsOf, loadChanges } from './load.ts'

const ID = 'a'.repeat(14)

/** A directory of its own, and git in any directory of it. */
function workshop() {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'skein-load-')))
  onTestFinished(() => rmSync(base, { recursive: true, force: true }))
  const git = (directory: string, ...args: string[]) =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=T', '-c', 'user.email=t@example.invalid', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  const repository = (name: string) => {
    const path = join(base, name)
    mkdirSync(path)
    git(path, 'init', '--quiet', '--initial-branch=main')
    return path
  }
  const commit = (path: string, file: string, text: string) => {
    writeFileSync(join(path, file), text)
    git(path, 'add', '--all')
    git(path, 'commit', '--quiet', '--message=one')
    return git(path, 'rev-parse', 'HEAD')
  }
  return { base, git, repository, commit }
}

/** An orchestrator with one job, whose result is a bundle. */
function orchestrator(path: string, commits: { commit: string; snapshot: string }, bundle: Uint8Array = new Uint8Array()) {
  const asked: string[] = []
  const backend = {
    async call(operation: string, _: unknown, { onPiece }: { onPiece?: (base64: string) => void } = {}) {
      asked.push(operation)
      if (operation === 'getJob')
        return { id: ID, state: 'succeeded', title: 'x', result: commits, spec: { repository: { path } } }
      onPiece?.(Buffer.from(bundle).toString('base64'))
      return {}
    },
  } as unknown as Backend
  return { backend, asked }
}

it('brings a result here from the bundle of the orchestrator, and reads both sides', async () => {
  const { base, git, repository, commit } = workshop()
  const path = repository('mine')
  const snapshot = commit(path, 'a.txt', 'one\n')
  git(base, 'clone', '--quiet', path, 'theirs')
  const theirs = join(base, 'theirs')
  const result = commit(theirs, 'a.txt', 'two\n')
  const ref = `refs/skein/jobs/${ID}`
  git(theirs, 'update-ref', ref, result)
  git(theirs, 'bundle', 'create', join(base, 'b'), ref, `^${snapshot}`)
  const { backend, asked } = orchestrator(path, { commit: result, snapshot }, readFileSync(join(base, 'b')))
  const loaded = await loadChanges(backend, ID)
  expect(asked).toEqual(['getJob', 'getArtifact'])
  expect(git(path, 'rev-parse', ref)).toBe(result)
  const contents = [...(await contentsOf(loaded)).values()].map(String)
  expect([loaded.root, contents.sort()]).toEqual([path, ['one\n', 'two\n']])
})

it('writes nowhere but where the repository is, whatever its settings say', async () => {
  const { git, repository, commit } = workshop()
  const [home, path] = [repository('home'), repository('mine')]
  const snapshot = commit(path, 'a.txt', 'one\n')
  git(path, 'config', 'core.worktree', home)
  const { backend } = orchestrator(path, { commit: snapshot, snapshot })
  await expect(loadChanges(backend, ID)).rejects.toThrow(`is ${home}, where nothing is written`)
})

it('starts no program that a repository names for what is missing in it', async () => {
  const { base, git, repository, commit } = workshop()
  const origin = repository('origin')
  commit(origin, 'a.txt', 'one\n')
  git(origin, 'config', 'uploadpack.allowFilter', 'true')
  git(base, 'clone', '--quiet', '--no-checkout', '--filter=blob:none', `file://${origin}`, 'partial')
  const path = join(base, 'partial')
  const planted = join(base, 'planted')
  git(path, 'config', 'remote.origin.uploadpack', `touch ${planted}; git-upload-pack`)
  const id = git(origin, 'rev-parse', 'HEAD:a.txt')
  await expect(createGit(path).blobs([id])).rejects.toThrow(id)
  await expect(createGit(path).run('cat-file', '-p', id)).rejects.toThrow()
  expect(existsSync(planted)).toBe(false)
  // It is what git does by itself.
  git(path, 'cat-file', '-p', id)
  expect(existsSync(planted)).toBe(true)
})
