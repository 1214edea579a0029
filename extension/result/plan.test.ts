import { expect, it } from 'vitest'
import { type Change, isSafePath, parseChanges } from './change.ts'
import { createGit } from './git.ts'
import { type Plan, type Present, planChanges } from './plan.ts'

const FILE = '100644'
const ids = new Map<string, Uint8Array>()
const side = (content: string | Uint8Array | null, mode = FILE): Change['before'] => {
  if (content === null) return { mode: '000000', id: null }
  const id = `id${ids.size}`
  ids.set(id, typeof content === 'string' ? Buffer.from(content) : content)
  return { mode, id }
}
const change = (
  kind: Change['kind'],
  path: string,
  before: Change['before'],
  after: Change['after'],
  oldPath = path,
): Change => ({
  ...{ kind, path, oldPath, before, after },
})
const plan = (changes: readonly Change[], files: Readonly<Record<string, string | Uint8Array | Present>>): Promise<Plan> =>
  planChanges(changes, {
    merge: createGit(process.cwd()).merge,
    content: id => ids.get(id) ?? new Uint8Array(),
    present: async path => {
      const there = files[path]
      if (there === undefined) return { kind: 'nothing' }
      if (typeof there === 'string') return { kind: 'text', text: there }
      return there instanceof Uint8Array ? { kind: 'bytes', bytes: there } : there
    },
  })
const BINARY = new Uint8Array([0, 1, 2])

it('edits a text where it differs from what the job found, and says that it merged', async () => {
  const modified = change('modified', 'a.ts', side('1\n2\n3\n4\n'), side('1\n2\n3\nfour\n'))
  expect((await plan([modified], { 'a.ts': '1\n2\n3\n4\n' })).steps).toMatchObject([{ kind: 'edit', isMerged: false }])
  expect((await plan([modified], { 'a.ts': 'one\n2\n3\n4\n' })).steps).toMatchObject([{ kind: 'edit', isMerged: true }])
  expect(await plan([modified], { 'a.ts': '1\n2\n3\nvier\n' })).toEqual({
    steps: [],
    obstacles: [{ path: 'a.ts', reason: 'changed-here' }],
  })
  expect(await plan([modified], { 'a.ts': '1\n2\n3\nfour\n' })).toEqual({ steps: [], obstacles: [] })
})

it('creates, deletes and renames, and never over what somebody has made or changed', async () => {
  const added = change('added', 'new.ts', side(null), side('x\n'))
  const deleted = change('deleted', 'old.ts', side('y\n'), side(null))
  const renamed = change('renamed', 'to.ts', side('z\n'), side('zz\n'), 'from.ts')
  const all = [added, deleted, renamed]
  expect((await plan(all, { 'old.ts': 'y\n', 'from.ts': 'z\n' })).steps.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
    ...['create new.ts', 'delete old.ts', 'create to.ts', 'delete from.ts'],
  ])
  expect((await plan(all, { 'new.ts': 'other', 'old.ts': 'mine\n', 'from.ts': 'mine\n' })).obstacles).toEqual([
    { path: 'new.ts', reason: 'exists' },
    { path: 'old.ts', reason: 'changed-here' },
    { path: 'to.ts', reason: 'changed-here' },
  ])
  expect(await plan([added, deleted], { 'new.ts': 'x\n' })).toEqual({ steps: [], obstacles: [] })
})

it('replaces a binary file as a whole, if it is as the job found it', async () => {
  const modified = change('modified', 'p.png', side(BINARY), side(new Uint8Array([0, 9])))
  expect((await plan([modified], { 'p.png': BINARY })).steps).toMatchObject([{ kind: 'overwrite', path: 'p.png' }])
  expect((await plan([modified], { 'p.png': new Uint8Array([0, 5]) })).obstacles).toEqual([
    { path: 'p.png', reason: 'changed-here' },
  ])
})

it('sets the mode of a program', async () => {
  const script = change('added', 'run', side(null), side('#!/bin/sh\n', '100755'))
  const made = change('modified', 'x.sh', side('a\n'), side('a\n', '100755'))
  expect((await plan([script, made], { 'x.sh': 'a\n' })).steps).toMatchObject([
    { kind: 'create', path: 'run' },
    { kind: 'mode', path: 'run', isExecutable: true },
    { kind: 'mode', path: 'x.sh', isExecutable: true },
  ])
})

it('leaves links, submodules and what leads out of the work tree alone', async () => {
  const changes = [
    change('added', 'link', side(null), side('/etc/passwd', '120000')),
    change('modified', 'module', side('a', '160000'), side('b', '160000')),
    change('added', '../x', side(null), side('x')),
    change('added', '.GIT/config', side(null), side('x')),
    change('added', 'behind-a-link/x', side(null), side('x')),
  ]
  const { steps, obstacles } = await plan(changes, { 'behind-a-link/x': { kind: 'other' } })
  expect(steps).toEqual([])
  expect(obstacles.map(({ reason }) => reason)).toEqual(['link', 'submodule', 'unsafe', 'unsafe', 'unsafe'])
})

it('takes no path that git would not', () => {
  for (const path of ['', '/etc/x', 'a//b', 'a/../b', './a', 'a/.git/hooks', 'a\\b']) expect(isSafePath(path), path).toBe(false)
  expect(isSafePath('a/.github/b')).toBe(true)
})

it('reads what git says of renames and copies', () => {
  const [a, b] = ['a'.repeat(40), 'b'.repeat(40)]
  const raw = `:100644 100644 ${a} ${b} R090\0from\0to\0:100644 100755 ${a} ${a} C100\0from\0copy\0:000000 100644 ${'0'.repeat(40)} ${b} A\0new\0`
  expect(parseChanges(Buffer.from(raw)).map(({ kind, path, oldPath, before }) => [kind, path, oldPath, before.id])).toEqual([
    ['renamed', 'to', 'from', a],
    ['added', 'copy', 'copy', null],
    ['added', 'new', 'new', null],
  ])
  expect(() => parseChanges(Buffer.from('nonsense\0'))).toThrow('not understood')
})
