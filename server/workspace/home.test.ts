import { existsSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { JobId, Snapshot } from '#shared/model/index.ts'
import {
  type Bench,
  cacheOf,
  checkedOut,
  fingerprint,
  newJobId,
  newRepo,
  newWorkspace,
  type Repo,
  repoAt,
  temporary,
} from './fixture.ts'
import { createWorkspace } from './index.ts'

interface Done {
  readonly bench: Bench
  readonly snapshot: Snapshot
  readonly jobId: JobId
  readonly commit: string
}

async function jobOn(repo: Repo, change: (agent: Repo) => void, bench = newWorkspace()): Promise<Done> {
  const jobId = newJobId()
  const snapshot = await bench.workspace.snapshot({ path: repo.path, include: 'changes' }, jobId)
  const dir = await checkedOut(bench, snapshot)
  change(repoAt(dir))
  const { commit } = await bench.workspace.commitResult({
    snapshot,
    dir,
    jobId,
    epoch: 1,
    message: 'x',
    trailers: {},
    maxBytes: 1e9,
  })
  return { bench, snapshot, jobId, commit: commit ?? '' }
}

const patchOf = async ({ bench, snapshot, commit }: Done) => {
  const chunks = []
  for await (const chunk of bench.workspace.diff(snapshot, commit, new AbortController().signal)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

describe('a result comes home', () => {
  test('as one ref and one pack; nothing else of the repository is touched', async () => {
    const repo = newRepo({ a: '1\n' })
    repo.write('a', 'dirty\n')
    repo.write('staged', 's\n')
    repo.git('add', 'staged')
    const done = await jobOn(repo, agent => agent.write('b', 'agent\n'))
    const ours = (path: string) =>
      path.startsWith('.git/objects/') || path.startsWith('.git/refs/skein') || path === '.git/refs' || path === '.git'
    const before = fingerprint(repo.path, ours)
    const loose = () => readdirSync(repo.file('.git/objects')).sort()
    const looseBefore = loose()
    const ref = await done.bench.workspace.deliver(done.snapshot, done.commit, done.jobId, repo.path)
    expect(ref).toBe(`refs/skein/jobs/${done.jobId}`)
    expect(fingerprint(repo.path, ours)).toEqual(before)
    expect(loose()).toEqual(looseBefore)
    expect(repo.git('show', `${ref}:b`)).toBe('agent')
    expect(await done.bench.workspace.deliver(done.snapshot, done.commit, done.jobId, repo.path)).toBe(ref)
  })

  test('into a shallow clone and into a repository without a commit', async () => {
    const origin = newRepo({ a: '1\n' })
    origin.commit('second')
    const path = join(temporary(), 'clone')
    origin.git('-C', origin.path, 'clone', '-q', '--no-local', '--depth', '1', origin.path, path)
    const empty = newRepo()
    empty.write('a', '1\n')
    for (const repo of [repoAt(path), empty]) {
      const done = await jobOn(repo, agent => agent.write('b', 'agent\n'))
      const ref = await done.bench.workspace.deliver(done.snapshot, done.commit, done.jobId, repo.path)
      expect(repo.git('show', `${ref}:b`)).toBe('agent')
    }
  })

  test('not when the repository is gone, or is another one now', async () => {
    const repo = newRepo({ a: '1\n' })
    const done = await jobOn(repo, agent => agent.write('b', 'agent\n'))
    rmSync(repo.path, { recursive: true })
    const deliver = (path: string) => done.bench.workspace.deliver(done.snapshot, done.commit, done.jobId, path)
    await expect(deliver(repo.path)).rejects.toMatchObject({ code: 'repository_gone' })
    await expect(deliver(newRepo({ other: '1\n' }).path)).rejects.toMatchObject({ code: 'repository_gone' })
  })

  test('as a patch that git applies, binary files and renames included', async () => {
    const repo = newRepo({ a: 'x\n'.repeat(20), bin: new Uint8Array([0, 1, 2]) })
    const done = await jobOn(repo, agent => {
      agent.git('mv', 'a', 'é b')
      agent.write('bin', new Uint8Array([0, 255, 254]))
      symlinkSync('bin', agent.file('link'))
    })
    writeFileSync(repo.file('../patch'), Buffer.from(await patchOf(done), 'latin1'))
    repo.git('apply', '--index', '../patch')
    expect(repo.git('write-tree')).toBe(cacheOf(done.bench, done.snapshot).git('rev-parse', `${done.commit}^{tree}`))
  })

  test('a reader that has enough ends the patch, and so does a signal', async () => {
    const repo = newRepo({ a: '1\n' })
    const done = await jobOn(repo, agent => agent.write('large', 'x\n'.repeat(2_000_000)))
    for await (const chunk of done.bench.workspace.diff(done.snapshot, done.commit, new AbortController().signal)) {
      expect(chunk.byteLength).toBeGreaterThan(0)
      break
    }
    const stop = new AbortController()
    const read = async () => {
      for await (const _ of done.bench.workspace.diff(done.snapshot, done.commit, stop.signal)) stop.abort()
    }
    await expect(read()).rejects.toMatchObject({ name: 'AbortError' })
  })
})

test('secrets are found in what a result adds, in links and names too, and not in what was there', async () => {
  const repo = newRepo({ old: 'sesame\n', touched: 'a\n' })
  const { bench, snapshot, commit } = await jobOn(repo, agent => {
    agent.write('touched', `${'x'.repeat(100_000)}sesame`)
    agent.write('copy of touched', `${'x'.repeat(100_000)}sesame`)
    agent.write('sesame', '')
    symlinkSync('open/sesame', agent.file('link'))
    agent.write('innocent', 'nothing\n')
  })
  expect(await bench.workspace.findInResult(snapshot, commit, ['absent', 'sesame'])).toEqual([
    'copy of touched',
    'link',
    'sesame',
    'touched',
  ])
  expect(await bench.workspace.findInResult(snapshot, commit, ['', 'absent'])).toEqual([])
  expect(await bench.workspace.findInResult(snapshot, commit, [])).toEqual([])
})

describe('what is kept', () => {
  test('until it is released; then it is collected, and a check-out in use still works', async () => {
    const repo = newRepo({ a: '1\n' })
    repo.write('large', Buffer.alloc(300_000, 'incompressible').toString('base64') + Math.random())
    const first = await jobOn(repo, agent => agent.write('b', '1\n'))
    const { bench } = first
    repo.write('a', '2\n')
    const second = await jobOn(repo, agent => agent.write('b', '2\n'), bench)
    const dir = repoAt(await checkedOut(bench, second.snapshot))
    const third = newJobId()
    await bench.workspace.share(second.snapshot, third)
    expect((await bench.workspace.kept()).toSorted()).toEqual([first.jobId, second.jobId, third].toSorted())

    await bench.workspace.release([first.jobId, second.jobId, 'unknown0000000'])
    expect(await bench.workspace.kept()).toEqual([third])
    await bench.workspace.collect()
    await expect(bench.workspace.bundle(first.snapshot, first.commit, 'refs/x', join(temporary(), 'b'))).rejects.toMatchObject({
      code: 'snapshot_missing',
    })
    expect(dir.git('fsck', '--connectivity-only')).toBe('')
    expect(dir.git('show', 'HEAD:a')).toBe('2')

    const before = await bench.workspace.totalBytes()
    repo.write('more', Buffer.from(Array.from({ length: 100_000 }, () => Math.floor(Math.random() * 256))))
    await bench.workspace.snapshot({ path: repo.path, include: 'changes' }, newJobId())
    expect(await bench.workspace.totalBytes()).toBeGreaterThan(before + 90_000)
  })

  test('after a kill: leftovers and stale locks are cleared', async () => {
    const repo = newRepo({ a: '1\n' })
    const { bench, snapshot, jobId } = await jobOn(repo, agent => agent.write('b', '1\n'))
    const cache = join(bench.directory, 'repos', `${snapshot.repositoryId}.git`)
    for (const lock of ['packed-refs.lock', 'shallow.lock', `refs/skein/jobs/${jobId}/snapshot.lock`, 'gc.pid'])
      writeFileSync(join(cache, lock), '')
    writeFileSync(join(bench.directory, 'scratch', 'left'), '')
    const again = createWorkspace({ directory: bench.directory })
    await again.release([jobId])
    expect(await again.kept()).toEqual([])
    await again.collect()
    expect(existsSync(join(bench.directory, 'scratch', 'left'))).toBe(false)
  })

  test('snapshots taken at once do not disturb each other or a collection', async () => {
    const repo = newRepo({ a: '1\n' })
    repo.write('a', '2\n')
    const { workspace } = newWorkspace()
    const ids = Array.from({ length: 6 }, newJobId)
    await Promise.all(ids.flatMap(id => [workspace.snapshot({ path: repo.path, include: 'changes' }, id), workspace.collect()]))
    expect((await workspace.kept()).toSorted()).toEqual(ids.toSorted())
  })
})
