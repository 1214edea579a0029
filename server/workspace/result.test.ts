import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Snapshot } from '#shared/model/index.ts'
import {
  asOrdinaryUser,
  type Bench,
  cacheOf,
  checkedOut,
  newJobId,
  newRepo,
  newWorkspace,
  poison,
  type Repo,
  repoAt,
  temporary,
  trap,
} from './fixture.ts'
import type { ResultCommit } from './index.ts'

interface Place {
  readonly bench: Bench
  readonly snapshot: Snapshot
  /** The check-out, as the agent sees it. */
  readonly agent: Repo
  /** When the files in it were written. */
  readonly checkedOutAt: Date
  commit(options?: { maxBytes?: number; message?: string; trailers?: Record<string, string> }): Promise<ResultCommit>
  /** What the last result has in it. */
  tree(): Record<string, string>
}

async function placeOf(
  files: Readonly<Record<string, string | Uint8Array>> = { a: '1\n' },
  prepare: (repo: Repo) => void = () => {},
  include: 'head' | 'changes' = 'changes',
): Promise<Place> {
  const bench = newWorkspace()
  const repo = newRepo(files)
  prepare(repo)
  const snapshot = await bench.workspace.snapshot({ path: repo.path, include }, newJobId())
  const dir = await checkedOut(bench, snapshot)
  let last: ResultCommit | undefined
  const cache = cacheOf(bench, snapshot)
  return {
    bench,
    snapshot,
    agent: repoAt(dir),
    checkedOutAt: statSync(join(dir, '.git/index')).mtime,
    async commit({ maxBytes = 1e9, message = 'message', trailers = {} } = {}) {
      last = await bench.workspace.commitResult({ snapshot, dir, jobId: newJobId(), epoch: 1, message, trailers, maxBytes })
      return last
    },
    tree() {
      const lines = cache
        .git('ls-tree', '-r', '-z', last?.commit ?? snapshot.commit)
        .split('\0')
        .filter(Boolean)
      return Object.fromEntries(lines.map(line => [line.slice(line.indexOf('\t') + 1), line.slice(0, 6)]))
    },
  }
}

describe('what is committed', () => {
  test('nothing when nothing changed, touched or not', async () => {
    const place = await placeOf()
    utimesSync(place.agent.file('a'), 1, 1)
    expect(await place.commit()).toEqual({
      commit: null,
      diffStat: { files: 0, insertions: 0, deletions: 0, changes: [] },
      warnings: [],
    })
  })

  test('one commit with trailers that no value breaks out of', async () => {
    const place = await placeOf()
    place.agent.write('a', '2\n')
    const { commit } = await place.commit({
      message: ' Fix it\0 \n',
      trailers: { 'Skein-Job': 'x', 'Skein-Agent': 'evil\nSkein-Model: forged' },
    })
    const cache = cacheOf(place.bench, place.snapshot)
    expect(cache.git('rev-list', '--parents', '-1', commit ?? '')).toBe(`${commit} ${place.snapshot.commit}`)
    expect(
      cache.git(
        'log',
        '-1',
        '--format=%an <%ae>|%cn|%s|%(trailers:key=Skein-Agent,valueonly)%(trailers:key=Skein-Model)',
        commit ?? '',
      ),
    ).toBe('Skein <skein@localhost>|Skein|Fix it|evil Skein-Model: forged\n')
  })

  test('what the agent committed, on whatever branch', async () => {
    const place = await placeOf()
    place.agent.git('checkout', '-qb', 'mine')
    place.agent.write('b', 'committed\n')
    place.agent.commit()
    place.agent.write('a', 'not committed\n')
    await place.commit()
    expect(place.tree()).toEqual({ a: '100644', b: '100644' })
  })

  test('renames, modes, links, binary files and odd names, with their statistics', async () => {
    const place = await placeOf({
      'old\nname': 'x\n'.repeat(20),
      bin: new Uint8Array([0, 1]),
      run: '',
      'to link': 'x',
      link: 'x',
    })
    place.agent.git('mv', 'old\nname', 'nëw "name')
    place.agent.write('bin', new Uint8Array([0, 2]))
    chmodSync(place.agent.file('run'), 0o755)
    place.agent.remove('to link')
    symlinkSync('bin', place.agent.file('to link'))
    place.agent.write('dir/new\tfile', 'one\ntwo\n')
    const { diffStat } = await place.commit()
    expect(diffStat).toEqual({
      files: 5,
      insertions: 3,
      deletions: 1,
      changes: [
        { path: 'bin', oldPath: null, status: 'modified', insertions: null, deletions: null },
        { path: 'dir/new\tfile', oldPath: null, status: 'added', insertions: 2, deletions: 0 },
        { path: 'nëw "name', oldPath: 'old\nname', status: 'renamed', insertions: 0, deletions: 0 },
        { path: 'run', oldPath: null, status: 'modified', insertions: 0, deletions: 0 },
        { path: 'to link', oldPath: null, status: 'type-changed', insertions: 1, deletions: 1 },
      ],
    })
    expect(place.tree()).toMatchObject({ run: '100755', 'to link': '120000' })
  })

  test('a name that is not UTF-8', async () => {
    const place = await placeOf()
    writeFileSync(Buffer.concat([Buffer.from(`${place.agent.path}/`), Buffer.from([0x66, 0xff])]), 'x\n')
    const { diffStat } = await place.commit()
    expect(diffStat.files).toBe(1)
  })

  test('not what .gitignore names; what is tracked stays tracked', async () => {
    const place = await placeOf({ '.gitignore': '*.o\n', a: '1\n' }, repo => {
      repo.write('kept.o', '1\n')
      repo.git('add', '-f', 'kept.o')
    })
    place.agent.write('kept.o', '2\n')
    place.agent.write('other.o', 'no\n')
    const { diffStat } = await place.commit()
    expect(diffStat.changes.map(({ path }) => path)).toEqual(['kept.o'])
    expect(Object.keys(place.tree())).toEqual(['.gitignore', 'a', 'kept.o'])
  })

  test('a directory in place of a file and the other way round', async () => {
    const place = await placeOf({ 'd/x': '1\n', 'd/y': '1\n', f: '1\n' })
    place.agent.remove('d')
    place.agent.write('d', 'file\n')
    place.agent.remove('f')
    place.agent.write('f/inside', 'x\n')
    await place.commit()
    expect(place.tree()).toEqual({ d: '100644', 'f/inside': '100644' })
  })

  test('the same without the index of the check-out, as after a crash', async () => {
    const place = await placeOf({ a: '1\n', b: '1\n' })
    rmSync(join(place.bench.directory, 'indexes'), { recursive: true })
    place.agent.write('a', '2\n')
    expect((await place.commit()).diffStat.files).toBe(1)
  })

  test('a change of the same size with its times put back', async () => {
    const place = await placeOf({ a: 'one\n' })
    const past = new Date(Date.now() - 60_000)
    utimesSync(place.agent.file('a'), past, past)
    place.agent.write('a', 'two\n')
    utimesSync(place.agent.file('a'), past, past)
    expect((await place.commit()).diffStat.files).toBe(1)
  })
})

test('a change of the same size in the second of the check-out, committed a second later', async () => {
  const place = await placeOf()
  place.agent.write('a', '2\n')
  // Nothing tells the change from the check-out now but the content, and the age of the index that says to look at it.
  const { checkedOutAt } = place
  utimesSync(place.agent.file('a'), checkedOutAt, checkedOutAt)
  await vi.waitUntil(() => Math.floor(Date.now() / 1000) > Math.floor(checkedOutAt.getTime() / 1000), {
    interval: 20,
    timeout: 2000,
  })
  expect((await place.commit()).diffStat.files).toBe(1)
})

describe('what an agent did to .git has no effect', () => {
  test.each<[string, (agent: Repo, command: string) => void]>([
    ['removed', agent => agent.remove('.git')],
    [
      'a file',
      agent => {
        agent.remove('.git')
        agent.write('.git', 'gitdir: /tmp/elsewhere\n')
      },
    ],
    [
      'a link',
      agent => {
        agent.remove('.git')
        symlinkSync('/etc', agent.file('.git'))
      },
    ],
    [
      'rubbish in it',
      agent => {
        for (const name of ['HEAD', 'index', 'config']) agent.write(`.git/${name}`, '\0rubbish')
      },
    ],
    [
      'every program git may be told to run',
      (agent, command) => {
        agent.write('.git/config', `[core]\n\trepositoryformatversion = 0\n${poison(command)}`)
        agent.write('.git/info/attributes', '* filter=evil diff=evil merge=evil\n')
        agent.write('.gitattributes', '* filter=evil diff=evil merge=evil ident\n')
        for (const hook of [
          'pre-commit',
          'post-index-change',
          'reference-transaction',
          'post-checkout',
          'fsmonitor-watchman',
          'commit-msg',
        ]) {
          agent.write(`.git/hooks/${hook}`, `#!/bin/sh\n${command}\n`)
          chmodSync(agent.file(`.git/hooks/${hook}`), 0o755)
        }
      },
    ],
  ])('%s', async (_name, poisoning) => {
    const place = await placeOf()
    const { command, sprung } = trap()
    place.agent.write('a', '2\n')
    place.agent.write('new', 'new\n')
    poisoning(place.agent, command)
    const { commit, diffStat } = await place.commit()
    expect(diffStat.changes.map(({ path }) => path)).toEqual(expect.arrayContaining(['a', 'new']))
    expect(commit).not.toBeNull()
    for await (const _ of place.bench.workspace.diff(place.snapshot, commit ?? '', new AbortController().signal)) void _
    expect(sprung()).toBe(false)
    expect(Object.keys(place.tree()).filter(path => path.startsWith('.git/'))).toEqual([])
  })

  test('nor have filters that the person of this machine has for all repositories', async () => {
    const place = await placeOf({ '.gitattributes': '* filter=evil\n', a: '1\n' })
    const { command, sprung } = trap()
    const home = temporary()
    writeFileSync(join(home, '.gitconfig'), poison(command))
    const before = process.env.HOME
    process.env.HOME = home
    onTestFinished(() => {
      process.env.HOME = before
    })
    place.agent.write('a', '2\n')
    const { commit } = await place.commit()
    await checkedOut(place.bench, place.snapshot, commit ?? '')
    for await (const _ of place.bench.workspace.diff(place.snapshot, commit ?? '', new AbortController().signal)) void _
    expect(sprung()).toBe(false)
  })

  test('a repository inside becomes plain files, and nothing of it runs', async () => {
    const place = await placeOf({ a: '1\n', '.gitignore': '*.log\n' })
    const { command, sprung } = trap()
    for (const [name, commit] of [
      ['inner', true],
      ['empty', false],
      ['deep/er', true],
    ] as const) {
      mkdirSync(place.agent.file(name), { recursive: true })
      const inner = repoAt(place.agent.file(name))
      inner.git('init', '-q')
      inner.write('file', 'x\n')
      inner.write('x.log', 'ignored\n')
      if (commit) inner.commit()
      inner.write('.git/config', `[core]\n\trepositoryformatversion = 0\n${poison(command)}`)
    }
    place.agent.write('file-link/.git', 'gitdir: ../inner/.git\n')
    place.agent.write('file-link/x', 'x\n')
    const { warnings } = await place.commit()
    expect(Object.keys(place.tree())).toEqual(['.gitignore', 'a', 'deep/er/file', 'empty/file', 'file-link/x', 'inner/file'])
    expect(warnings).toEqual([{ code: 'nested_repository', detail: expect.stringContaining('"inner"') }])
    expect(sprung()).toBe(false)
  })

  test('a tracked directory that becomes a repository keeps its files', async () => {
    const place = await placeOf({ 'd/x': '1\n', 'd/y': '1\n' })
    const inner = repoAt(place.agent.file('d'))
    inner.git('init', '-q')
    inner.commit()
    place.agent.write('d/x', '2\n')
    place.agent.write('d/z', 'new\n')
    await place.commit()
    expect(place.tree()).toEqual({ 'd/x': '100644', 'd/y': '100644', 'd/z': '100644' })
  })
})

describe('refused', () => {
  test.each<[string, Record<string, string>, string[]]>([
    ['absolute', { bad: '/etc/passwd' }, ['bad']],
    ['absolute into the tree itself', { bad: '/tmp' }, ['bad']],
    ['above the top', { 'd/bad': '../../x' }, ['d/bad']],
    ['by a chain', { one: 'two/x', two: '..' }, ['one', 'two']],
    ['through a directory link', { 'd/up': '..', bad: 'd/up/../x' }, ['bad']],
    ['by a way out and in again', { bad: '../place/a' }, ['bad']],
    ['an endless loop', { loop: 'loop' }, ['loop']],
  ])('a link that leaves the tree: %s', async (_name, links, expected) => {
    const place = await placeOf({ 'd/x': 'x\n' })
    for (const [path, target] of Object.entries(links)) symlinkSync(target, place.agent.file(path))
    await expect(place.commit()).rejects.toMatchObject({ name: 'WorkspaceError', code: 'unsafe_path', paths: expected })
  })

  test('an old link that a new one leads out', async () => {
    const place = await placeOf({ 'd/e/x': 'x\n' }, repo => symlinkSync('d/e/../../d/e/x', repo.file('old')))
    place.agent.remove('d/e')
    symlinkSync('.', place.agent.file('d/e'))
    await expect(place.commit()).rejects.toMatchObject({ code: 'unsafe_path', paths: ['old'] })
  })

  test('but not links inside the tree, nor those that were there', async () => {
    const place = await placeOf({ 'd/x': 'x\n' }, repo => symlinkSync('/usr/share', repo.file('was here')))
    for (const [path, target] of Object.entries({
      ok: 'd/x',
      'd/up': '..',
      'd/loop': '../d',
      dangling: 'not/there',
      round: 'd/../d/x',
    }))
      symlinkSync(target, place.agent.file(path))
    expect((await place.commit()).diffStat.files).toBe(5)
  })

  test.each([
    '.GIT/config',
    'd/.Git/hooks/pre-commit',
    'git~1',
    '.git./x',
    '.git /x',
    '.g\u200cit/x',
    '.git::$INDEX_ALLOCATION/x',
  ])('%s', async path => {
    const place = await placeOf()
    place.agent.write(path, 'x\n')
    await expect(place.commit()).rejects.toMatchObject({ name: 'WorkspaceError', code: 'unsafe_path', paths: [path] })
  })

  test('more than the limit, before it is read', async () => {
    const place = await placeOf()
    execFileSync('truncate', ['-s', '3T', place.agent.file('sparse')])
    await expect(place.commit({ maxBytes: 1e6 })).rejects.toMatchObject({ code: 'too_large', paths: ['sparse'] })
    place.agent.remove('sparse')
    place.agent.write('fits', 'x'.repeat(1000))
    expect((await place.commit({ maxBytes: 1000 })).diffStat.files).toBe(1)
  })

  test('directories nested deeper than a path can say', async () => {
    const place = await placeOf()
    const name = 'd'.repeat(250)
    execFileSync('bash', ['-c', `for i in $(seq 20); do mkdir ${name} && cd -P ${name} || exit; done`], { cwd: place.agent.path })
    await expect(place.commit()).rejects.toMatchObject({ code: 'unsafe_path' })
    execFileSync('rm', ['-rf', place.agent.file(name)])
  })

  test('a commit that is not kept', async () => {
    const place = await placeOf()
    const snapshot = { ...place.snapshot, commit: '1'.repeat(40) }
    await expect(place.bench.workspace.checkout(snapshot, snapshot.commit, place.bench.place())).rejects.toMatchObject({
      code: 'snapshot_missing',
    })
    const elsewhere = { ...place.snapshot, repositoryId: '../../etc' }
    await expect(place.bench.workspace.checkout(elsewhere, snapshot.commit, place.bench.place())).rejects.toMatchObject({
      code: 'snapshot_missing',
    })
  })
})

describe('odd files', () => {
  test('pipes, sockets and devices are left out and named, unless ignored', async () => {
    const place = await placeOf({ a: '1\n', b: '1\n', '.gitignore': 'ignored\n' })
    place.agent.remove('b')
    for (const name of ['pipe', 'b', 'ignored']) execFileSync('mkfifo', [place.agent.file(name)])
    place.agent.write('a', '2\n')
    const { warnings } = await place.commit()
    expect(warnings).toEqual([{ code: 'special_file', detail: expect.stringMatching(/: "(b", "pipe|pipe", "b)"\.$/) }])
    expect(Object.keys(place.tree())).toEqual(['.gitignore', 'a'])
  })

  test('files and directories without rights', async () => {
    await asOrdinaryUser(async () => {
      const place = await placeOf({ a: '1\n', 'd/x': '1\n' })
      place.agent.write('d/new', 'x\n')
      place.agent.write('a', '2\n')
      place.agent.write('closed/deep/file', 'x\n')
      chmodSync(place.agent.file('a'), 0)
      chmodSync(place.agent.file('d'), 0)
      chmodSync(place.agent.file('closed/deep'), 0o400)
      chmodSync(place.agent.file('closed'), 0o100)
      const { diffStat } = await place.commit()
      expect(diffStat.changes.map(({ path, status }) => `${status} ${path}`)).toEqual([
        'modified a',
        'added closed/deep/file',
        'added d/new',
      ])
    })
  })

  test('attributes convert line ends and encodings, and content they do not fit is taken as it is', async () => {
    const utf16 = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')])
    const place = await placeOf({
      '.gitattributes': '*.crlf eol=crlf\n*.u16 working-tree-encoding=UTF-16\n*.id ident\n',
      'a.crlf': 'a\r\n',
      'a.u16': utf16('a\n'),
    })
    expect(place.agent.read('a.crlf')).toBe('a\r\n')
    place.agent.write('a.crlf', 'a\r\nb\r\n')
    place.agent.write('a.u16', utf16('a\nb\n'))
    place.agent.write('a.id', '$Id: forged $\n')
    const first = await place.commit()
    expect(first).toMatchObject({ diffStat: { insertions: 3, deletions: 0 }, warnings: [] })
    place.agent.write('b.u16', 'not UTF-16')
    const second = await place.commit()
    expect(second.warnings).toEqual([{ code: 'attributes_ignored', detail: expect.any(String) }])
    expect(Object.keys(place.tree())).toContain('b.u16')
  })

  test('files with unnormalised line ends that nobody touched stay as they are', async () => {
    const place = await placeOf(
      { 'a.txt': 'a\r\nb\r\n', b: '1\n' },
      repo => {
        repo.write('.gitattributes', '* text\n')
        repo.git('add', '.gitattributes')
        repo.git('commit', '-qm', 'attributes')
      },
      'head',
    )
    place.agent.write('b', '2\n')
    // So that git looks into it.
    utimesSync(place.agent.file('a.txt'), 1, 1)
    expect((await place.commit()).diffStat.changes.map(({ path }) => path)).toEqual(['b'])
  })
})

test('nothing is left in the scratch directory', async () => {
  const place = await placeOf()
  place.agent.write('a', '2\n')
  await place.commit()
  symlinkSync('/', place.agent.file('bad'))
  await place.commit().catch(() => {})
  expect(readdirSync(join(place.bench.directory, 'scratch'))).toEqual([])
})
