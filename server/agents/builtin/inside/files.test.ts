import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { confine, filesBelow, readText, ToolError } from './files.ts'

let base: string
let root: string

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'skein-files-')))
  root = join(base, 'work')
  mkdirSync(join(root, 'src'), { recursive: true })
  mkdirSync(join(base, 'outside'))
  mkdirSync(join(base, 'work-not'))
  writeFileSync(join(base, 'outside', 'secret'), 'secret')
  writeFileSync(join(root, 'src', 'a.txt'), 'a\n')
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

describe('a path of the model', () => {
  test.each(['src/a.txt', './src/../src/a.txt', 'new.txt', 'new/deep/er.txt', '.', '..a', 'src/a.txt/'])('may be %s', path => {
    expect(() => confine(root, path)).not.toThrow()
  })

  it('may be absolute when it is inside, and may go over links that stay inside', () => {
    symlinkSync('src', join(root, 'link'))
    expect(confine(root, join(root, 'src', 'a.txt'))).toBe(join(root, 'src', 'a.txt'))
    expect(confine(root, 'link/a.txt')).toBe(join(root, 'src', 'a.txt'))
    expect(confine(root, 'link/new.txt')).toBe(join(root, 'src', 'new.txt'))
  })

  test.each(['..', '../outside/secret', '../work-not/x', 'src/../../outside', '/etc/passwd', '/', '../new', 'a\0b'])(
    'may not be %j',
    path => {
      expect(() => confine(root, path)).toThrow(ToolError)
    },
  )

  it('may not leave by a link: to a file, to a directory, to what does not exist yet', () => {
    symlinkSync(join(base, 'outside', 'secret'), join(root, 'file'))
    symlinkSync(join(base, 'outside'), join(root, 'directory'))
    symlinkSync(join(base, 'outside', 'new'), join(root, 'nowhere'))
    symlinkSync('loop', join(root, 'loop'))
    for (const path of ['file', 'directory/secret', 'directory/new', 'directory', 'nowhere', 'nowhere/x', 'loop'])
      expect(() => confine(root, path), path).toThrow(ToolError)
  })

  it('is inside or refused, whatever it is', () => {
    const part = fc.oneof(fc.constantFrom('..', '.', 'src', 'a.txt', 'work', '/', '~'), fc.string({ maxLength: 5 }))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), parts => {
        let real: string
        try {
          real = confine(root, parts.join('/'))
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
          return
        }
        expect(`${real}${sep}`.startsWith(`${root}${sep}`)).toBe(true)
      }),
    )
  })
})

describe('reading', () => {
  it('takes text, and says what is none', () => {
    expect(readText(root, 'src/a.txt')).toBe('a\n')
    writeFileSync(join(root, 'binary'), Buffer.from([1, 0, 2]))
    writeFileSync(join(root, 'large'), '')
    execFileSync('truncate', ['-s', '9M', join(root, 'large')])
    expect(() => readText(root, 'binary')).toThrow('not text')
    expect(() => readText(root, 'large')).toThrow('too many')
    expect(() => readText(root, 'src')).toThrow('no file')
    expect(() => readText(root, 'missing')).toThrow('there is no missing')
  })

  it('does not wait for a pipe that nobody writes to', () => {
    execFileSync('mkfifo', [join(root, 'pipe')])
    expect(() => readText(root, 'pipe')).toThrow('no file')
  })
})

it('lists files in order, without links, packages and what is git’s', () => {
  for (const path of ['.git/config', 'node_modules/x/index.js', 'b/node_modules/y.js', 'b/z.txt', 'B.txt']) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), '')
  }
  symlinkSync('..', join(root, 'b', 'up'))
  expect([...filesBelow(root)].map(file => relative(root, file))).toEqual(['B.txt', 'b/z.txt', 'src/a.txt'])
  expect(existsSync(join(root, 'b', 'up'))).toBe(true)
})
