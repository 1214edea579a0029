import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JobId, Snapshot } from '#shared/model/index.ts'
import { type Bench, newRepo, newWorkspace, type Repo, repoAt, temporary } from './fixture.ts'

const JOB: JobId = '0000000000000a'
const limits = { maxBytes: 10_000_000 }

/** A home with a snapshot of a repository, and a worker that has nothing. */
async function pair(repo: Repo): Promise<{ home: Bench; worker: Bench; snapshot: Snapshot; there: Snapshot; file: string }> {
  const home = newWorkspace()
  const worker = newWorkspace()
  const snapshot = await home.workspace.snapshot({ path: repo.path, include: 'changes' }, JOB)
  const there = { ...snapshot, repositoryId: `home-${snapshot.repositoryId}`.slice(0, 64) }
  return { home, worker, snapshot, there, file: join(temporary(), 'work.bundle') }
}

/** What the worker made of the snapshot, as a bundle. */
async function resultOf({ worker, there }: Awaited<ReturnType<typeof pair>>, edit: (dir: string) => void) {
  const dir = worker.place()
  await worker.workspace.checkout(there, there.commit, dir)
  edit(dir)
  const { commit } = await worker.workspace.commitResult({
    snapshot: there,
    dir,
    jobId: JOB,
    epoch: 1,
    message: 'made there',
    trailers: {},
    maxBytes: limits.maxBytes,
  })
  const file = join(temporary(), 'result.bundle')
  await worker.workspace.bundle(there, commit ?? '', `refs/skein/jobs/${JOB}`, file)
  return { commit, file }
}

describe.each([[[]], [['--object-format=sha256']]])('work that travels, init %j', init => {
  it('arrives whole, uncommitted changes and odd names included, and its result comes home', async () => {
    const repo = newRepo({ 'a.txt': 'one\n', 'dir/ü "quoted"\n.txt': 'odd\n' }, init)
    repo.write('new.txt', 'not committed\n')
    const both = await pair(repo)
    const { home, worker, snapshot, there, file } = both
    const shipped = await home.workspace.pack(snapshot, [], file)
    expect(shipped.bytes).toBe(statSync(file).size)
    await worker.workspace.receive(file, there, JOB, limits)
    const result = await resultOf(both, dir => {
      expect(repoAt(dir).read('new.txt')).toBe('not committed\n')
      expect(repoAt(dir).read('dir/ü "quoted"\n.txt')).toBe('odd\n')
      writeFileSync(join(dir, 'a.txt'), 'two\n')
    })
    const { commit } = await home.workspace.receiveResult(result.file, snapshot, JOB, 1, limits)
    expect(commit).toBe(result.commit)
    await home.workspace.deliver(snapshot, commit, JOB, repo.path)
    expect(repo.git('show', `refs/skein/jobs/${JOB}:a.txt`)).toBe('two')
  })

  it('is thin where the other has something, and empty where it has all', async () => {
    const repo = newRepo({ 'big.txt': 'x'.repeat(100_000).replaceAll(/x/g, () => String(Math.random())), 'a.txt': '1' }, init)
    const { home, worker, snapshot, there, file } = await pair(repo)
    const whole = await home.workspace.pack(snapshot, [], file)
    expect(await worker.workspace.haves(there.repositoryId)).toEqual([])
    await worker.workspace.receive(file, there, JOB, limits)
    expect(await worker.workspace.haves(there.repositoryId)).toContain(snapshot.commit)

    repo.write('a.txt', '2')
    const next = await home.workspace.snapshot({ path: repo.path, include: 'changes' }, '0000000000000b')
    const haves = [...(await worker.workspace.haves(there.repositoryId)), 'f'.repeat(40), '--all', '../x']
    const thin = await home.workspace.pack(next, haves, file)
    expect(thin.bytes).toBeLessThan(whole.bytes / 10)
    await worker.workspace.receive(file, { ...next, repositoryId: there.repositoryId }, '0000000000000b', limits)

    expect((await home.workspace.pack(next, [next.commit], file)).bytes).toBe(0)
    await worker.workspace.receive(file, { ...next, repositoryId: there.repositoryId }, '0000000000000c', limits)
    expect(await worker.workspace.kept()).toEqual(expect.arrayContaining([JOB, '0000000000000b', '0000000000000c']))
  })
})

describe('what belongs to a snapshot', () => {
  /** A repository with a submodule that has one of its own, both with a file that does not compress. */
  const withSubmodules = () => {
    const noise = () => 'x'.repeat(50_000).replaceAll(/x/g, () => String(Math.random()))
    const leaf = newRepo({ leaf: '1\n', noise: noise() })
    const middle = newRepo({ middle: '1\n', noise: noise() })
    middle.git('submodule', '--quiet', 'add', leaf.path, 'libs/leaf')
    middle.commit()
    const repo = newRepo({ 'a.txt': '1\n' })
    repo.git('submodule', '--quiet', 'add', middle.path, 'vendor/middle lib')
    repo.git('submodule', '--quiet', 'update', '--init', '--recursive')
    repo.commit()
    return repo
  }
  const LEAF = 'vendor/middle lib/libs/leaf/leaf'

  it('travels too: submodules and theirs, kept for the job and thin the next time', async () => {
    const repo = withSubmodules()
    const both = await pair(repo)
    const { home, worker, snapshot, there, file } = both
    const whole = await home.workspace.pack(snapshot, [], file)
    await worker.workspace.receive(file, there, JOB, limits)
    await worker.workspace.collect()
    const result = await resultOf(both, dir => {
      expect(repoAt(dir).read(LEAF)).toBe('1\n')
      expect(repoAt(dir).git('status', '--porcelain')).toBe('')
      writeFileSync(join(dir, 'a.txt'), 'two\n')
    })
    const { commit } = await home.workspace.receiveResult(result.file, snapshot, JOB, 1, limits)
    expect((await home.workspace.findInResult(snapshot, commit, ['two'])).join()).toBe('a.txt')

    // What the next snapshot builds on stays when the job is forgotten.
    await worker.workspace.release([JOB])
    await worker.workspace.collect()
    repo.write('a.txt', '3\n')
    const next = await home.workspace.snapshot({ path: repo.path, include: 'changes' }, '0000000000000b')
    const thin = await home.workspace.pack(next, await worker.workspace.haves(there.repositoryId), file)
    expect(thin.bytes).toBeLessThan(whole.bytes / 20)
    const nextThere = { ...next, repositoryId: there.repositoryId }
    await worker.workspace.receive(file, nextThere, '0000000000000b', limits)
    const dir = worker.place()
    await worker.workspace.checkout(nextThere, next.commit, dir)
    expect(repoAt(dir).read(LEAF)).toBe('1\n')
  })

  it('is left empty where the home has not checked it out either', async () => {
    const repo = withSubmodules()
    repo.git('submodule', '--quiet', 'deinit', '--all', '--force')
    const { home, worker, snapshot, there, file } = await pair(repo)
    await home.workspace.pack(snapshot, [], file)
    await worker.workspace.receive(file, there, JOB, limits)
    const dir = worker.place()
    await worker.workspace.checkout(there, there.commit, dir)
    expect(readdirSync(join(dir, 'vendor/middle lib'))).toEqual([])
  })

  it('counts against the limit as a whole, and is refused where the snapshot does not name it', async () => {
    const { home, worker, snapshot, there, file } = await pair(withSubmodules())
    await home.workspace.pack(snapshot, [], file)
    await expect(worker.workspace.receive(file, there, JOB, { maxBytes: 1_000_000 })).rejects.toMatchObject({ code: 'too_large' })
    expect(await worker.workspace.kept()).toEqual([])

    const evil = newRepo({ 'a.txt': '1\n' })
    const commit = evil.git('rev-parse', 'HEAD')
    const stranger = evil.commit('a stranger')
    const bundle = (...refs: string[]) => {
      for (const ref of refs) evil.git('update-ref', ref, ref.startsWith('refs/skein/modules/') ? stranger : commit)
      evil.git('bundle', 'create', '-q', file, ...refs)
    }
    const sent = { ...there, commit, base: null }
    for (const ref of [`refs/skein/modules/${stranger}`, 'refs/heads/other', 'refs/skein/base']) {
      bundle('refs/skein/shipped', ref)
      await expect(worker.workspace.receive(file, sent, JOB, limits), ref).rejects.toMatchObject({ name: 'WorkspaceError' })
    }
    bundle('refs/skein/shipped')
    await worker.workspace.receive(file, sent, JOB, limits)
  })

  it('stays a pointer under Git LFS, whatever filters the receiver has', async () => {
    const repo = newRepo({ '.gitattributes': '*.big filter=lfs -text\n' })
    repo.git('config', 'filter.lfs.clean', "sed 's/^content:/pointer:/'")
    repo.git('config', 'filter.lfs.smudge', "sed 's/^pointer:/content:/'")
    repo.write('a.big', 'content: 1\n')
    const both = await pair(repo)
    const { home, worker, snapshot, there, file } = both
    await home.workspace.pack(snapshot, [], file)
    await worker.workspace.receive(file, there, JOB, limits)
    const result = await resultOf(both, dir => {
      expect(repoAt(dir).read('a.big')).toBe('pointer: 1\n')
      writeFileSync(join(dir, 'b.txt'), 'new\n')
    })
    const { commit } = await home.workspace.receiveResult(result.file, snapshot, JOB, 1, limits)
    await home.workspace.deliver(snapshot, commit, JOB, repo.path)
    expect(repo.git('show', `refs/skein/jobs/${JOB}:a.big`)).toBe('pointer: 1')
  })

  it('is the history of a shallow clone as far as it goes, before and after it is deepened', async () => {
    const origin = newRepo({ 'a.txt': '1\n' })
    for (const round of ['2\n', '3\n', '4\n']) {
      origin.write('a.txt', round)
      origin.commit()
    }
    const path = join(temporary(), 'clone')
    origin.git('clone', '-q', '--depth', '2', `file://${encodeURI(origin.path).replaceAll('%22', '"')}`, path)
    const repo = repoAt(path)
    const both = await pair(repo)
    const { home, worker, snapshot, there, file } = both
    await home.workspace.pack(snapshot, [], file)
    await worker.workspace.receive(file, there, JOB, limits)
    const result = await resultOf(both, dir => {
      expect(repoAt(dir).git('rev-list', '--count', 'HEAD')).toBe('2')
      writeFileSync(join(dir, 'a.txt'), 'there\n')
    })
    await home.workspace.receiveResult(result.file, snapshot, JOB, 1, limits)

    repo.git('fetch', '-q', '--unshallow')
    repo.write('a.txt', 'deep\n')
    const next = await home.workspace.snapshot({ path: repo.path, include: 'changes' }, '0000000000000b')
    await home.workspace.pack(next, await worker.workspace.haves(there.repositoryId), file)
    const nextThere = { ...next, repositoryId: there.repositoryId }
    await worker.workspace.receive(file, nextThere, '0000000000000b', limits)
    const dir = worker.place()
    await worker.workspace.checkout(nextThere, next.commit, dir)
    expect(repoAt(dir).read('a.txt')).toBe('deep\n')
  })

  it('may be older than all the other has', async () => {
    const repo = newRepo({ 'a.txt': 'old\n' })
    const old = repo.git('rev-parse', 'HEAD')
    repo.write('a.txt', 'new\n')
    repo.commit()
    const { home, worker, snapshot, there, file } = await pair(repo)
    await home.workspace.pack(snapshot, [], file)
    await worker.workspace.receive(file, there, JOB, limits)
    repo.git('checkout', '-q', old)
    const older = await home.workspace.snapshot({ path: repo.path, include: 'head' }, '0000000000000b')
    await home.workspace.pack(older, await worker.workspace.haves(there.repositoryId), file)
    await worker.workspace.receive(file, { ...older, repositoryId: there.repositoryId }, '0000000000000b', limits)
    expect(await worker.workspace.kept()).toContain('0000000000000b')
  })
})

describe('what another node sends', () => {
  const scratchOf = ({ directory }: Bench) => readdirSync(join(directory, 'scratch'))

  it('is refused when it is no bundle, too large, or another commit, and leaves nothing behind', async () => {
    const { home, worker, snapshot, there, file } = await pair(newRepo({ 'a.txt': 'one\n', 'big.txt': 'x'.repeat(50_000) }))
    writeFileSync(file, 'garbage')
    await expect(worker.workspace.receive(file, there, JOB, limits)).rejects.toMatchObject({ name: 'WorkspaceError' })
    await home.workspace.pack(snapshot, [], file)
    await expect(worker.workspace.receive(file, there, JOB, { maxBytes: 1000 })).rejects.toMatchObject({ name: 'WorkspaceError' })
    const other = { ...there, commit: 'a'.repeat(40) }
    await expect(worker.workspace.receive(file, other, JOB, limits)).rejects.toMatchObject({ name: 'WorkspaceError' })
    await expect(worker.workspace.receive(file, { ...there, commit: '--all' }, JOB, limits)).rejects.toMatchObject({
      name: 'WorkspaceError',
    })
    expect(await worker.workspace.kept()).toEqual([])
    expect(scratchOf(worker)).toEqual([])
  })

  it.each<[string, (evil: Repo, snapshot: Snapshot) => void]>([
    ['a commit on another parent', evil => evil.git('commit', '-q', '--allow-empty', '--amend', '-m', 'elsewhere')],
    ['two commits', evil => [evil.commit('one'), evil.commit('two')]],
    [
      'a link out of the tree',
      evil => {
        evil.gitWith('/etc/passwd', 'hash-object', '-w', '--stdin')
        const blob = evil.gitWith('../../etc/passwd', 'hash-object', '-w', '--stdin')
        evil.git('update-index', '--add', '--cacheinfo', `120000,${blob},link`)
        evil.git('commit', '-q', '-m', 'link')
      },
    ],
    [
      'a file in .git',
      evil => {
        const blob = evil.gitWith('[core]\n\tfsmonitor = touch /tmp/owned\n', 'hash-object', '-w', '--stdin')
        const inner = evil.gitWith(`100644 blob ${blob}\tconfig\n`, 'mktree')
        const tree = evil.gitWith(`040000 tree ${inner}\t.git\n`, 'mktree')
        const commit = evil.git('commit-tree', tree, '-p', 'HEAD', '-m', 'config')
        evil.git('update-ref', 'refs/heads/main', commit)
      },
    ],
    [
      'a path that climbs',
      evil => {
        const blob = evil.gitWith('x', 'hash-object', '-w', '--stdin')
        const inner = evil.gitWith(`100644 blob ${blob}\tx\n`, 'mktree')
        const tree = evil.gitWith(`040000 tree ${inner}\t..\n`, 'mktree')
        const commit = evil.git('commit-tree', tree, '-p', 'HEAD', '-m', 'climb')
        evil.git('update-ref', 'refs/heads/main', commit)
      },
    ],
  ])('as a result is refused when it is %s', async (_, make) => {
    const repo = newRepo({ 'a.txt': 'one\n' })
    const { home, snapshot, file } = await pair(repo)
    const evil = repoAt(join(temporary(), 'evil'))
    repo.git('clone', '-q', repo.path, evil.path)
    make(evil, snapshot)
    evil.git('update-ref', `refs/skein/jobs/${JOB}`, 'HEAD')
    evil.git('bundle', 'create', '-q', file, `refs/skein/jobs/${JOB}`)
    await expect(home.workspace.receiveResult(file, snapshot, JOB, 1, limits)).rejects.toMatchObject({ name: 'WorkspaceError' })
    expect(scratchOf(home)).toEqual([])
  })

  it('as a result is refused under another name, or with more than one', async () => {
    const repo = newRepo({ 'a.txt': 'one\n' })
    const { home, snapshot, file } = await pair(repo)
    repo.commit('on top')
    repo.git('update-ref', `refs/skein/jobs/${JOB}`, 'HEAD')
    for (const refs of [['main'], [`refs/skein/jobs/${JOB}`, 'main']]) {
      repo.git('bundle', 'create', '-q', file, ...refs)
      await expect(home.workspace.receiveResult(file, snapshot, JOB, 1, limits)).rejects.toMatchObject({ name: 'WorkspaceError' })
    }
  })
})
