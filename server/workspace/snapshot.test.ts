import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Snapshot } from '#shared/model/index.ts'
import {
  type Bench,
  cacheOf,
  checkedOut,
  fingerprint,
  newJobId,
  newRecording,
  newRepo,
  newWorkspace,
  poison,
  type Repo,
  repoAt,
  temporary,
  trap,
} from './fixture.ts'
import { isDirectoryAt } from './submodules.ts'

/** Takes a snapshot and sees that the repository is as it was. */
async function snapshotOf(repo: Repo, bench: Bench = newWorkspace(), include: 'head' | 'changes' = 'changes'): Promise<Snapshot> {
  const before = fingerprint(repo.path)
  const snapshot = await bench.workspace.snapshot({ path: repo.path, include }, newJobId())
  expect(fingerprint(repo.path)).toEqual(before)
  return snapshot
}

/** The tree `git add -A` makes, by another index. */
function treeOfAddAll(repo: Repo): string {
  const other = join(temporary(), 'index')
  if (existsSync(repo.file('.git/index'))) cpSync(repo.file('.git/index'), other, { preserveTimestamps: true })
  const run = repo.withEnv({ GIT_INDEX_FILE: other })
  run.git('add', '-A')
  return run.git('write-tree')
}

const treeOf = (bench: Bench, snapshot: Snapshot) => cacheOf(bench, snapshot).git('rev-parse', `${snapshot.commit}^{tree}`)

async function expectWhole(repo: Repo, bench = newWorkspace()): Promise<{ snapshot: Snapshot; bench: Bench; dir: string }> {
  const snapshot = await snapshotOf(repo, bench)
  expect(treeOf(bench, snapshot)).toBe(treeOfAddAll(repo))
  const dir = await checkedOut(bench, snapshot)
  return { snapshot, bench, dir }
}

describe('what is captured', () => {
  test('head leaves changes out, and is the very commit', async () => {
    const repo = newRepo({ a: '1\n' })
    repo.write('a', '2\n')
    const snapshot = await snapshotOf(repo, newWorkspace(), 'head')
    expect(snapshot).toMatchObject({
      commit: repo.git('rev-parse', 'HEAD'),
      base: repo.git('rev-parse', 'HEAD'),
      dirty: false,
      branch: 'main',
    })
  })

  test('a clean work tree is its HEAD, with changes asked for too', async () => {
    const repo = newRepo({ a: '1\n' })
    expect(await snapshotOf(repo)).toMatchObject({ commit: repo.git('rev-parse', 'HEAD'), dirty: false })
  })

  test('a change made in the tick after the last git command is not missed', async () => {
    const repo = newRepo({ a: '1\n' })
    const bench = newWorkspace()
    for (let round = 0; round < 20; round++) {
      repo.write('a', `${round % 10}\n`)
      repo.git('add', 'a')
      repo.write('a', `${(round + 1) % 10}\n`)
      const snapshot = await snapshotOf(repo, bench)
      expect(cacheOf(bench, snapshot).git('show', `${snapshot.commit}:a`)).toBe(`${(round + 1) % 10}`)
    }
  })

  test('links, modes, renames, binary files and names of every kind', async () => {
    const repo = newRepo({
      'run.sh': '#!/bin/sh\n',
      old: 'moved\n',
      bin: new Uint8Array([0, 255, 10, 13]),
      link: 'soon a link\n',
    })
    chmodSync(repo.file('run.sh'), 0o755)
    repo.git('mv', 'old', 'new')
    repo.git('rm', '-q', '--cached', 'link')
    repo.write('bin', new Uint8Array([255, 0]))
    const names = [
      'with space',
      'quo"te\'s',
      'line\nbreak',
      'tab\t',
      'ünïcødé/日本',
      '-dash',
      ':(top)',
      'back\\slash',
      '*',
      'Case',
      'case',
      'trailing ',
    ]
    for (const name of names) repo.write(name, `${name}\n`)
    writeFileSync(Buffer.concat([Buffer.from(`${repo.path}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'not UTF-8\n')
    symlinkSync('with space', repo.file('to space'))
    symlinkSync('/nowhere/at all', repo.file('dangling'))
    const { dir } = await expectWhole(repo)
    for (const name of names) expect(readFileSync(join(dir, name), 'utf8')).toBe(`${name}\n`)
    expect(lstatSync(join(dir, 'run.sh')).mode & 0o111).toBe(0o111)
    expect(readlinkSync(join(dir, 'to space'))).toBe('with space')
    expect(readlinkSync(join(dir, 'dangling'))).toBe('/nowhere/at all')
    expect(readFileSync(join(dir, 'bin'))).toEqual(Buffer.from([255, 0]))
  })

  test('ignored files stay out unless tracked', async () => {
    const repo = newRepo({ '.gitignore': '*.log\nbuild/\n', 'a.txt': 'a\n' })
    repo.write('kept.log', 'tracked though ignored\n')
    repo.git('add', '-f', 'kept.log')
    repo.write('x.log', 'no\n')
    repo.write('build/out', 'no\n')
    repo.write('.git/info/exclude', 'local-only\n')
    repo.write('local-only', 'no\n')
    const { dir } = await expectWhole(repo)
    expect(existsSync(join(dir, 'kept.log'))).toBe(true)
    for (const name of ['x.log', 'build', 'local-only']) expect(existsSync(join(dir, name)), name).toBe(false)
  })

  test('intent-to-add, staged and then deleted, staged deletion and kept file', async () => {
    const repo = newRepo({ gone: 'gone\n', kept: 'kept\n' })
    repo.write('intended', 'intended\n')
    repo.git('add', '-N', 'intended')
    repo.write('staged', 'staged\n')
    repo.git('add', 'staged')
    repo.remove('staged')
    repo.git('rm', '-q', '--cached', 'kept')
    repo.remove('gone')
    await expectWhole(repo)
  })

  test('a merge with conflicts is captured as it stands', async () => {
    const repo = newRepo({ a: '1\n' })
    repo.git('checkout', '-qb', 'other')
    repo.write('a', 'other\n')
    repo.commit()
    repo.git('checkout', '-q', 'main')
    repo.write('a', 'main\n')
    repo.commit()
    expect(() => repo.git('merge', 'other')).toThrow()
    const { dir } = await expectWhole(repo)
    expect(readFileSync(join(dir, 'a'), 'utf8')).toContain('<<<<<<< HEAD')
  })

  test('a large file', async () => {
    const repo = newRepo({ a: '1\n' })
    const large = Buffer.alloc(64 * 1024 * 1024, 'skein ')
    repo.write('large', large)
    const { dir } = await expectWhole(repo)
    expect(readFileSync(join(dir, 'large')).equals(large)).toBe(true)
  })

  test('clean filters of the person run, so a file under Git LFS is its pointer; on our side none runs', async () => {
    const repo = newRepo({ '.gitattributes': '*.big filter=lfs -text\n' })
    const ran = join(temporary(), 'ran')
    repo.git('config', 'filter.lfs.clean', "sed 's/^content:/pointer:/'")
    repo.git('config', 'filter.lfs.smudge', `touch ${JSON.stringify(ran)}; sed 's/^pointer:/content:/'`)
    repo.git('config', 'filter.lfs.required', 'true')
    repo.write('a.big', 'content: 1\n')
    repo.commit()
    repo.write('a.big', 'content: 2\n')
    repo.write('b.big', 'content: 3\n')
    const { dir } = await expectWhole(repo)
    expect(readFileSync(join(dir, 'a.big'), 'utf8')).toBe('pointer: 2\n')
    expect(readFileSync(join(dir, 'b.big'), 'utf8')).toBe('pointer: 3\n')
    expect(existsSync(ran)).toBe(false)
  })

  test('hooks and the file system monitor of the repository do not run', async () => {
    const repo = newRepo({ a: '1\n' })
    const ran = join(temporary(), 'ran')
    for (const hook of [
      'post-index-change',
      'pre-commit',
      'reference-transaction',
      'post-checkout',
      'pre-auto-gc',
      'fsmonitor-watchman',
    ]) {
      repo.write(`.git/hooks/${hook}`, `#!/bin/sh\ntouch "${ran}"\n`)
      chmodSync(repo.file(`.git/hooks/${hook}`), 0o755)
    }
    repo.git('-c', 'core.hooksPath=/dev/null', 'config', 'core.fsmonitor', '.git/hooks/fsmonitor-watchman')
    repo.write('a', '2\n')
    const bench = newWorkspace()
    const snapshot = await snapshotOf(repo, bench)
    await bench.workspace.deliver(snapshot, snapshot.commit, newJobId(), repo.path).catch(() => {})
    expect(existsSync(ran)).toBe(false)
  })
})

describe('repositories of every shape', () => {
  test('without a commit', async () => {
    const repo = newRepo()
    repo.write('a', '1\n')
    const bench = newWorkspace()
    const { snapshot, dir } = await expectWhole(repo, bench)
    expect(snapshot).toMatchObject({ base: null, dirty: true, branch: 'main' })
    expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('1\n')
    const head = await snapshotOf(repo, bench, 'head')
    expect(cacheOf(bench, head).git('ls-tree', head.commit)).toBe('')
    expect(head).toMatchObject({ base: null, dirty: false })
  })

  test('with nothing at all in it', async () => {
    expect(await snapshotOf(newRepo())).toMatchObject({ base: null })
  })

  test('with a detached HEAD', async () => {
    const repo = newRepo({ a: '1\n' })
    repo.git('checkout', '-q', '--detach')
    expect(await snapshotOf(repo)).toMatchObject({ branch: null, commit: repo.git('rev-parse', 'HEAD') })
  })

  test('a shallow clone, before and after it is deepened', async () => {
    const origin = newRepo({ a: '1\n' })
    for (const round of [2, 3, 4]) {
      origin.write('a', `${round}\n`)
      origin.commit()
    }
    const path = join(temporary(), 'clone')
    origin.git('clone', '-q', '--depth', '2', `file://${encodeURI(origin.path).replaceAll('%22', '"')}`, path)
    const repo = repoAt(path)
    repo.write('a', 'dirty\n')
    const bench = newWorkspace()
    const first = await snapshotOf(repo, bench)
    const dir = await checkedOut(bench, first)
    expect(repoAt(dir).git('rev-list', '--count', 'HEAD')).toBe('3')
    repo.git('fetch', '-q', '--unshallow')
    repo.write('a', 'dirtier\n')
    const second = await snapshotOf(repo, bench)
    expect(readFileSync(join(await checkedOut(bench, second), 'a'), 'utf8')).toBe('dirtier\n')
  })

  test('a linked work tree shares the cache with the main one and has its own index', async () => {
    const repo = newRepo({ a: '1\n' })
    const linked = repo.sibling()
    linked.write('a', 'linked\n')
    const bench = newWorkspace()
    const [one, two] = [
      await snapshotOf(repo, bench),
      await bench.workspace.snapshot({ path: linked.path, include: 'changes' }, newJobId()),
    ]
    expect(two.repositoryId).toBe(one.repositoryId)
    expect(cacheOf(bench, two).git('show', `${two.commit}:a`)).toBe('linked')
    expect(one.dirty).toBe(false)
  })

  test('SHA-256 objects', async () => {
    const repo = newRepo({ a: '1\n' }, ['--object-format=sha256'])
    repo.write('a', '2\n')
    const { snapshot } = await expectWhole(repo)
    expect(snapshot.commit).toMatch(/^[0-9a-f]{64}$/)
  })

  test('a sparse check-out keeps what is not on the disk', async () => {
    const repo = newRepo({ 'in/a': '1\n', 'out/b': '1\n', top: '1\n' })
    repo.git('sparse-checkout', 'set', 'in')
    expect(existsSync(repo.file('out/b'))).toBe(false)
    repo.write('in/a', '2\n')
    repo.write('out/new', 'written outside of the cone\n')
    const bench = newWorkspace()
    const snapshot = await snapshotOf(repo, bench)
    expect(cacheOf(bench, snapshot).git('ls-tree', '-r', '--name-only', snapshot.commit).split('\n')).toEqual([
      'in/a',
      'out/b',
      'out/new',
      'top',
    ])
  })

  test('a split index', async () => {
    const repo = newRepo({ a: '1\n', b: '1\n' })
    repo.git('update-index', '--split-index')
    repo.write('a', '2\n')
    repo.git('add', 'a')
    repo.write('b', '2\n')
    await expectWhole(repo)
  })

  test('a repository inside, with and without a commit', async () => {
    const repo = newRepo({ a: '1\n' })
    for (const name of ['inner', 'empty']) {
      mkdirSync(repo.file(name))
      repoAt(repo.file(name)).git('init', '-q')
      repo.write(`${name}/file`, 'inner\n')
    }
    const inner = repoAt(repo.file('inner')).commit()
    const bench = newWorkspace()
    const snapshot = await snapshotOf(repo, bench)
    expect(cacheOf(bench, snapshot).git('ls-tree', snapshot.commit)).toContain(`160000 commit ${inner}\tinner`)
    await checkedOut(bench, snapshot)
  })

  test('a directory below the top stands for the whole', async () => {
    const repo = newRepo({ 'sub/a': '1\n', b: '1\n' })
    repo.write('b', '2\n')
    const bench = newWorkspace()
    const snapshot = await bench.workspace.snapshot({ path: repo.file('sub'), include: 'changes' }, newJobId())
    expect(cacheOf(bench, snapshot).git('show', `${snapshot.commit}:b`)).toBe('2')
  })

  test.each([
    ['a bare repository', () => newRepo({}, ['--bare']).path, /bare/],
    ['the git directory itself', () => newRepo({ a: '1\n' }).file('.git'), /no work tree/],
    ['no repository', () => temporary(), /not in a git repository/],
    ['no directory', () => join(temporary(), 'absent'), /no directory/],
  ])('refused: %s', async (_name, path, message) => {
    const failure = newWorkspace().workspace.snapshot({ path: path(), include: 'changes' }, newJobId())
    await expect(failure).rejects.toMatchObject({
      name: 'WorkspaceError',
      code: 'not_a_repository',
      message: expect.stringMatching(message),
    })
  })

  test('refused: a HEAD that names a commit which is not there', async () => {
    const repo = newRepo({ a: '1\n' })
    repo.write('.git/refs/heads/main', `${'1'.repeat(40)}\n`)
    await expect(newWorkspace().workspace.snapshot({ path: repo.path, include: 'head' }, newJobId())).rejects.toMatchObject({
      name: 'WorkspaceError',
    })
  })
})

describe('what travels', () => {
  test('a second snapshot ships only what is new', async () => {
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`dir/${index}`, `${index}\n`]))
    const repo = newRepo(files)
    const log = newRecording()
    await snapshotOf(repo, log.bench)
    repo.write('dir/7', 'changed\n')
    await snapshotOf(repo, log.bench)
    // The commit, two trees and one blob.
    expect(log.bundledObjects()).toEqual([203, 4])
    await snapshotOf(repo, log.bench, 'head')
    expect(log.bundledObjects()).toHaveLength(2)
  })

  test('few processes are started', async () => {
    const repo = newRepo({ a: '1\n' })
    const log = newRecording()
    await snapshotOf(repo, log.bench, 'head')
    await snapshotOf(repo, log.bench, 'head')
    log.takeCalls()
    await snapshotOf(repo, log.bench, 'head')
    expect(log.takeCalls()).toHaveLength(6)
    repo.write('a', '2\n')
    log.takeCalls()
    await snapshotOf(repo, log.bench)
    const calls = log.takeCalls()
    expect(calls.length, calls.join('\n')).toBeLessThanOrEqual(14)
  })
})

test('files that keep changing are refused, files that change once are read again', async () => {
  const repo = newRepo({ a: '1\n' })
  repo.write('a', '2\n')
  const always = newRecording({ after: { 'write-tree': `echo >> '${repo.file('a')}'` } })
  await expect(always.bench.workspace.snapshot({ path: repo.path, include: 'changes' }, newJobId())).rejects.toMatchObject({
    code: 'git_failed',
    message: expect.stringMatching(/kept changing/),
  })
  const flag = join(temporary(), 'once')
  const once = newRecording({
    after: { 'write-tree': `[ -e "${flag}" ] || { touch "${flag}"; echo late > '${repo.file('a')}'; }` },
  })
  const snapshot = await once.bench.workspace.snapshot({ path: repo.path, include: 'changes' }, newJobId())
  expect(cacheOf(once.bench, snapshot).git('show', `${snapshot.commit}:a`)).toBe('late')
})

describe('submodules', () => {
  /** A repository with a submodule that has one of its own. */
  const withSubmodules = () => {
    const leaf = newRepo({ leaf: '1\n' })
    const middle = newRepo({ middle: '1\n' })
    middle.git('submodule', '--quiet', 'add', leaf.path, 'libs/leaf')
    middle.commit()
    const repo = newRepo({ a: '1\n' })
    repo.git('submodule', '--quiet', 'add', middle.path, 'vendor/middle lib')
    repo.git('submodule', '--quiet', 'update', '--init', '--recursive')
    repo.commit()
    return repo
  }

  test('come with their own, and what changes in them is named', async () => {
    const repo = withSubmodules()
    const bench = newWorkspace()
    const jobId = newJobId()
    const snapshot = await snapshotOf(repo, bench)
    const dir = repoAt(await checkedOut(bench, snapshot))
    expect(dir.read('vendor/middle lib/libs/leaf/leaf')).toBe('1\n')
    expect(dir.git('status', '--porcelain')).toBe('')
    const commit = () =>
      bench.workspace.commitResult({ snapshot, dir: dir.path, jobId, epoch: 1, message: 'x', trailers: {}, maxBytes: 1e6 })
    expect(await commit()).toMatchObject({ commit: null, warnings: [] })
    dir.write('a', '2\n')
    dir.write('vendor/middle lib/libs/leaf/new', 'lost otherwise\n')
    const { diffStat, warnings } = await commit()
    expect(diffStat.changes.map(({ path }) => path)).toEqual(['a'])
    expect(warnings).toEqual([{ code: 'submodule_changed', detail: expect.stringContaining('"vendor/middle lib/libs/leaf"') }])
    dir.remove('vendor/middle lib')
    symlinkSync('/', dir.file('vendor/middle lib'))
    expect((await commit()).warnings).toEqual([
      { code: 'submodule_changed', detail: expect.stringContaining('"vendor/middle lib"') },
    ])
  })

  test('run nothing, whatever an agent wrote into their configuration', async () => {
    const repo = withSubmodules()
    const bench = newWorkspace()
    const snapshot = await snapshotOf(repo, bench)
    const dir = repoAt(await checkedOut(bench, snapshot))
    const { command, sprung } = trap()
    const inner = 'vendor/middle lib'
    dir.write(`${inner}/.git/config`, `[core]\n\trepositoryformatversion = 0\n${poison(command)}`)
    dir.write(`${inner}/.gitattributes`, '* filter=evil\n')
    dir.write(`${inner}/middle`, 'changed\n')
    const { warnings } = await bench.workspace.commitResult({
      snapshot,
      dir: dir.path,
      jobId: newJobId(),
      epoch: 1,
      message: 'x',
      trailers: {},
      maxBytes: 1e6,
    })
    expect(warnings.map(({ code }) => code)).toEqual(['submodule_changed'])
    expect(sprung()).toBe(false)
  })

  test('are not looked for behind a link', async () => {
    const [top, elsewhere] = [temporary(), temporary()]
    for (const place of [top, elsewhere]) mkdirSync(join(place, 'real/sub'), { recursive: true })
    symlinkSync(join(elsewhere, 'real'), join(top, 'link'))
    expect(await isDirectoryAt(top, 'real/sub')).toBe(true)
    for (const path of ['link/sub', 'link', 'absent']) expect(await isDirectoryAt(top, path), path).toBe(false)
  })

  test('are kept for the job that shares the snapshot', async () => {
    const repo = withSubmodules()
    const { workspace, ...bench } = newWorkspace()
    const [first, second] = [newJobId(), newJobId()]
    const snapshot = await workspace.snapshot({ path: repo.path, include: 'head' }, first)
    await workspace.share(snapshot, second)
    await workspace.release([first])
    await workspace.collect()
    const dir = await checkedOut({ workspace, ...bench }, snapshot)
    expect(readFileSync(join(dir, 'vendor/middle lib/libs/leaf/leaf'), 'utf8')).toBe('1\n')
  })

  test('are empty where they are not checked out', async () => {
    const repo = withSubmodules()
    repo.git('submodule', '--quiet', 'deinit', '--all', '--force')
    const bench = newWorkspace()
    const dir = await checkedOut(bench, await snapshotOf(repo, bench))
    expect(readdirSync(join(dir, 'vendor/middle lib'))).toEqual([])
  })
})
