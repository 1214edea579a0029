import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { identify } from '#server/lib/process-identity.ts'
import { asOrdinaryUser, fingerprint, newRepo, type Repo } from './fixture.ts'
import { applyResult, createBranch } from './index.ts'
import { allOrNothing } from './journal.ts'

/** A result on top of `base`, made without touching the work tree. */
function resultOf(repo: Repo, base: string, change: (other: Repo) => void): string {
  const other = repo.sibling()
  other.git('checkout', '-q', '--detach', base)
  change(other)
  return other.commit('result')
}

const untouched = (repo: Repo) => fingerprint(repo.path)
const gitUntouched = (repo: Repo) => [
  repo.git('rev-parse', 'HEAD'),
  repo.git('ls-files', '-s'),
  repo.git('stash', 'list'),
  repo.git('diff', '--cached'),
]

describe('what merges cleanly is written', () => {
  test('changes of both sides, deletions, renames, binary files, modes and links', async () => {
    const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`)
    const repo = newRepo({
      'both.txt': `${lines.join('\n')}\n`,
      'gone/deep/file.txt': 'gone\n',
      'old name.txt': `${lines.map(line => `x ${line}`).join('\n')}\n`,
      'run.sh': '#!/bin/sh\n',
      'private.txt': 'a\n',
      'picture.bin': new Uint8Array([0, 1, 2, 255]),
      other: 'other\n',
    })
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, other => {
      other.write('both.txt', `${lines.with(0, 'result').join('\n')}\n`)
      other.git('rm', '-q', 'gone/deep/file.txt')
      other.git('mv', 'old name.txt', 'näw\nname.txt')
      chmodSync(other.file('run.sh'), 0o755)
      other.write('private.txt', 'b\n')
      other.write('picture.bin', new Uint8Array([0, 9, 9, 254]))
      other.write('fresh/dir/file', 'fresh\n')
      symlinkSync('dir/file', other.file('fresh/link'))
    })
    repo.write('both.txt', `${lines.with(29, 'mine').join('\n')}\n`)
    repo.write(
      'old name.txt',
      `${lines
        .map(line => `x ${line}`)
        .with(29, 'mine too')
        .join('\n')}\n`,
    )
    repo.write('other', 'staged\n')
    repo.git('add', 'other')
    repo.write('notes', 'untracked\n')
    chmodSync(repo.file('private.txt'), 0o600)
    const before = gitUntouched(repo)

    const outcome = await applyResult({ repositoryPath: repo.path, commit, base })

    expect('applied' in outcome && outcome.applied.toSorted()).toEqual(
      [
        'both.txt',
        'fresh/dir/file',
        'fresh/link',
        'gone/deep/file.txt',
        'näw\nname.txt',
        'old name.txt',
        'picture.bin',
        'private.txt',
        'run.sh',
      ].toSorted(),
    )
    expect(repo.read('both.txt')).toBe(`${lines.with(0, 'result').with(29, 'mine').join('\n')}\n`)
    expect(existsSync(repo.file('gone'))).toBe(false)
    expect(existsSync(repo.file('old name.txt'))).toBe(false)
    expect(repo.read('näw\nname.txt')).toContain('mine too')
    expect(statSync(repo.file('run.sh')).mode & 0o111).toBe(0o111)
    expect(statSync(repo.file('private.txt')).mode & 0o777).toBe(0o600)
    expect(repo.read('private.txt')).toBe('b\n')
    expect(readlinkSync(repo.file('fresh/link'))).toBe('dir/file')
    expect(repo.read('notes')).toBe('untracked\n')
    expect(gitUntouched(repo)).toEqual(before)
    expect(existsSync(repo.file('.git/skein-apply'))).toBe(false)
  })

  test('a file takes the place of a directory and the other way round', async () => {
    const repo = newRepo({ 'a/one': '1\n', 'a/two': '2\n', b: 'b\n', c: 'c\n' })
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, other => {
      other.git('rm', '-rq', 'a', 'b')
      other.write('a', 'file now\n')
      other.write('b/inside', 'directory now\n')
      other.git('rm', '-q', 'c')
      symlinkSync('b', other.file('c'))
    })
    expect(await applyResult({ repositoryPath: repo.path, commit, base })).toHaveProperty('applied')
    expect(repo.read('a')).toBe('file now\n')
    expect(repo.read('b/inside')).toBe('directory now\n')
    expect(readlinkSync(repo.file('c'))).toBe('b')
  })

  test('a file takes the place of directories without a file in them, which git does not see', async () => {
    const repo = newRepo({ 'd/x': 'x\n', 'e/x': 'x\n' })
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, other => {
      other.git('rm', '-rq', 'd')
      other.write('d', 'file\n')
      other.write('new', 'file\n')
    })
    mkdirSync(repo.file('d/empty/deeper'), { recursive: true })
    mkdirSync(repo.file('new/empty'), { recursive: true })
    expect(await applyResult({ repositoryPath: repo.path, commit, base })).toHaveProperty('applied')
    expect([repo.read('d'), repo.read('new')]).toEqual(['file\n', 'file\n'])
  })

  test('a dry run tells and writes nothing', async () => {
    const repo = newRepo({ a: '1\n' })
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, other => other.write('a', '2\n'))
    const before = untouched(repo)
    expect(await applyResult({ repositoryPath: repo.path, commit, base, dryRun: true })).toEqual({ applied: ['a'] })
    expect(omitGitDirectory(untouched(repo))).toEqual(omitGitDirectory(before))
  })

  test('what is there already is no change', async () => {
    const repo = newRepo({ a: '1\n' })
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, other => other.write('a', '2\n'))
    repo.write('a', '2\n')
    expect(await applyResult({ repositoryPath: repo.path, commit, base })).toEqual({ applied: [] })
  })

  test('line ends and filters of the person apply to what is written', async () => {
    const repo = newRepo({ '.gitattributes': '*.crlf eol=crlf\n*.up filter=up\n', 'a.crlf': 'one\r\n', 'b.up': 'x\n' })
    repo.git('config', 'filter.up.clean', "tr 'A-Z' 'a-z'")
    repo.git('config', 'filter.up.smudge', "tr 'a-z' 'A-Z'")
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, other => {
      other.write('a.crlf', 'one\r\ntwo\r\n')
      other.write('b.up', 'y\n')
    })
    expect(await applyResult({ repositoryPath: repo.path, commit, base })).toHaveProperty('applied')
    expect(repo.read('a.crlf')).toBe('one\r\ntwo\r\n')
    expect(repo.read('b.up')).toBe('Y\n')
  })
})

describe('a conflict changes nothing', () => {
  const conflicting = async (
    setUp: (repo: Repo) => void,
    change: (other: Repo) => void,
    files: Record<string, string> = { a: '1\n' },
  ) => {
    const repo = newRepo(files)
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, change)
    setUp(repo)
    const before = omitGitDirectory(untouched(repo))
    const outcome = await applyResult({ repositoryPath: repo.path, commit, base }).catch(error => error)
    expect(omitGitDirectory(untouched(repo))).toEqual(before)
    expect(existsSync(repo.file('.git/skein-apply'))).toBe(false)
    return outcome
  }

  test('the same line on both sides', async () => {
    const outcome = await conflicting(
      repo => repo.write('a', 'mine\n'),
      other => {
        other.write('a', 'theirs\n')
        other.write('clean', 'clean\n')
      },
    )
    expect(outcome).toEqual({ conflicts: ['a'] })
  })

  test('an untracked file where one is added', async () => {
    expect(
      await conflicting(
        repo => repo.write('new', 'mine\n'),
        other => other.write('new', 'theirs\n'),
      ),
    ).toEqual({ conflicts: ['new'] })
  })

  test('an ignored file where one is added, or inside what becomes a file', async () => {
    const files = { '.gitignore': 'secret\n', 'd/x': 'x\n' }
    const change = (other: Repo) => {
      other.write('.gitignore', '')
      other.write('secret', 'theirs\n')
    }
    expect(await conflicting(repo => repo.write('secret', 'mine\n'), change, files)).toEqual({ conflicts: ['secret'] })
    const toFile = (other: Repo) => {
      other.git('rm', '-rq', 'd')
      other.write('d', 'file\n')
    }
    expect(await conflicting(repo => repo.write('d/secret', 'mine\n'), toFile, files)).toEqual({ conflicts: ['d'] })
  })

  test('an ignored link in place of a directory is not written through', async () => {
    const outside = newRepo({ keep: 'keep\n' })
    const outcome = await conflicting(
      repo => symlinkSync(outside.path, repo.file('out')),
      other => other.write('out/planted', 'planted\n'),
      { '.gitignore': 'out\n!out/\n', a: '1\n' },
    )
    expect(outcome).toHaveProperty('conflicts')
    expect(existsSync(outside.file('planted'))).toBe(false)
  })

  test('a link that leaves the tree is refused', async () => {
    const outcome = await conflicting(
      () => {},
      other => symlinkSync('../../etc', other.file('etc')),
    )
    expect(outcome).toMatchObject({ name: 'WorkspaceError', code: 'unsafe_path', paths: ['etc'] })
  })

  test('a deletion of what was changed here', async () => {
    const outcome = await conflicting(
      repo => repo.write('a', '2\n'),
      other => other.git('rm', '-q', 'a'),
    )
    expect(outcome).toEqual({ conflicts: ['a'] })
  })
})

describe('all or nothing', () => {
  const prepare = () => {
    const repo = newRepo({ a: '1\n', 'b/c': '1\n', 'z/locked': '1\n' })
    const base = repo.git('rev-parse', 'HEAD')
    const commit = resultOf(repo, base, other => {
      other.git('rm', '-rq', 'b')
      other.write('a', '2\n')
      other.write('y/new', '2\n')
      other.write('z/locked', '2\n')
    })
    return { repo, base, commit }
  }

  test('a directory that may not be written stops the last file, and the others are put back', async () => {
    await asOrdinaryUser(async () => {
      const { repo, base, commit } = prepare()
      chmodSync(repo.file('z'), 0o555)
      const before = content(omitGitDirectory(fingerprint(repo.path)))
      await expect(applyResult({ repositoryPath: repo.path, commit, base })).rejects.toMatchObject({
        name: 'WorkspaceError',
        message: expect.stringMatching(/permission denied.*Everything is as it was/i),
      })
      expect(content(omitGitDirectory(fingerprint(repo.path)))).toEqual(before)
      expect(existsSync(repo.file('.git/skein-apply'))).toBe(false)
      chmodSync(repo.file('z'), 0o755)
    })
  })

  test('what a killed process left half done is undone by the next', async () => {
    const { repo, base, commit } = prepare()
    const aside = repo.file('.git/skein-apply')
    const before = content(omitGitDirectory(fingerprint(repo.path)))
    mkdirSync(aside)
    await allOrNothing(aside, async journal => {
      await journal.move(repo.file('a'), join(aside, '0'))
      await journal.move(repo.file('b/c'), join(aside, '1'))
      await journal.removeDirectory(repo.file('b'))
      await journal.makeDirectories(repo.file('y/deep'))
    })
    rmSync(join(aside, 'done'))
    // A step that was written down and not begun, and one cut in the middle.
    appendFileSync(
      join(aside, 'journal'),
      `${JSON.stringify({ kind: 'move', from: repo.file('z/locked'), to: join(aside, '2') })}\n{"kind":"mo`,
    )
    expect(await applyResult({ repositoryPath: repo.path, commit, base, dryRun: true })).toHaveProperty('applied')
    expect(content(omitGitDirectory(fingerprint(repo.path)))).toEqual(before)
  })

  test('one at a time', async () => {
    const { repo, base, commit } = prepare()
    mkdirSync(repo.file('.git/skein-apply'))
    const owner = (startTime: string) =>
      writeFileSync(repo.file('.git/skein-apply/owner'), JSON.stringify({ pid: process.ppid, startTime }))
    owner(identify(process.ppid)?.startTime ?? '')
    await expect(applyResult({ repositoryPath: repo.path, commit, base })).rejects.toMatchObject({ code: 'conflict' })
    // The number of a process that is over was given to another.
    owner('long ago')
    expect(await applyResult({ repositoryPath: repo.path, commit, base })).toHaveProperty('applied')
  })

  test('two that begin at the same time do not both', async () => {
    const { repo, base, commit } = prepare()
    const apply = () => applyResult({ repositoryPath: repo.path, commit, base }).catch(error => error)
    const outcomes = await Promise.all([apply(), apply(), apply()])
    expect(outcomes.filter(outcome => 'applied' in outcome)).toHaveLength(1)
    expect(outcomes.filter(outcome => outcome.code === 'conflict')).toHaveLength(2)
    expect(repo.read('a')).toBe('2\n')
    expect(
      repo
        .git('status', '--porcelain', '--ignored')
        .split('\n')
        .filter(line => line.includes('skein')),
    ).toEqual([])
  })
})

test('a branch is made once, and only under a name git takes', async () => {
  const repo = newRepo({ a: '1\n' })
  const commit = repo.git('rev-parse', 'HEAD')
  await createBranch({ repositoryPath: repo.path, name: 'skein/result', commit })
  expect(repo.git('rev-parse', 'skein/result')).toBe(commit)
  const other = repo.commit('later')
  for (const name of ['skein/result', 'skein', 'main', '-f', '@{-1}', 'a..b', '', 'x\ny'])
    await expect(createBranch({ repositoryPath: repo.path, name, commit: other }), name).rejects.toMatchObject({
      code: 'conflict',
    })
  expect(repo.git('rev-parse', 'skein/result')).toBe(commit)
  expect(repo.git('rev-parse', 'main')).toBe(other)
})

/** Times of directories change when a file is put aside and back. */
const content = (print: Record<string, string>) =>
  Object.fromEntries(Object.entries(print).map(([path, value]) => [path, value.split(' ').toSpliced(1, 1).join(' ')]))

const omitGitDirectory = (print: Record<string, string>) =>
  Object.fromEntries(Object.entries(print).filter(([path]) => path !== '.git' && !path.startsWith('.git/')))
