import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { parsePatch } from './patch.ts'

const directory = mkdtempSync(join(tmpdir(), 'skein-patch-'))
afterAll(() => rmSync(directory, { recursive: true }))
const git = (...args: string[]) =>
  execFileSync('git', ['-C', directory, '-c', 'user.name=T', '-c', 'user.email=t@example.invalid', ...args], { encoding: 'utf8' })
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(directory, name), content)

it('reads what git writes of every kind of change', () => {
  git('init', '--quiet')
  const many = Array.from({ length: 40 }, (_, i) => `line ${i}\n`).join('')
  write('changed.txt', many)
  write('deleted.txt', '-- like a header\n')
  write('moved.txt', many)
  write('binary', Uint8Array.of(0, 1, 2))
  git('add', '.')
  git('commit', '--quiet', '--message=first')
  write('changed.txt', `${many.replace('line 3\n', 'line three\n++ odd\n').replace('line 30\n', '')}no end`)
  rmSync(join(directory, 'deleted.txt'))
  rmSync(join(directory, 'moved.txt'))
  write('moved ümlaut.txt', many)
  write('binary', Uint8Array.of(0, 1, 3))
  write('a b.txt', 'x\n')
  git('add', '--all')
  const files = parsePatch(git('diff', '--cached', '--binary', '--find-renames'))
  const facts = files.map(({ path, oldPath, kind, isBinary, insertions, deletions }) => [
    path,
    oldPath,
    kind,
    isBinary,
    insertions,
    deletions,
  ])
  expect(facts).toEqual([
    ['a b.txt', null, 'added', false, 1, 0],
    ['binary', null, 'changed', true, 0, 0],
    ['changed.txt', null, 'changed', false, 3, 2],
    ['deleted.txt', null, 'deleted', false, 0, 1],
    ['moved ümlaut.txt', 'moved.txt', 'renamed', false, 0, 0],
  ])
  const changed = files[2]?.lines ?? []
  expect(changed.filter(({ kind }) => kind === 'added').map(({ text, newNumber }) => [text, newNumber])).toEqual([
    ['line three', 4],
    ['++ odd', 5],
    ['no end', 41],
  ])
  expect(changed.at(-1)).toMatchObject({ kind: 'note' })
})

it('throws at nothing', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          'diff --git a/x b/x',
          'diff --git "',
          '@@ -1,2 +1 @@',
          '+x',
          '-x',
          ' x',
          '\\ n',
          '+++ "b/\\303',
          'rename to y',
          '',
        ),
      ),
      lines => {
        for (const file of parsePatch(lines.join('\n'))) expect(typeof file.path).toBe('string')
      },
    ),
  )
})
