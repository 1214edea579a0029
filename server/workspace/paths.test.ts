import { mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { temporary } from './fixture.ts'
import { isDotGit, leavesTree, newlyLeaving } from './paths.ts'

test.each(['.git', '.GIT', '.Git', 'git~1', 'GIT~1', '.git.', '.git ', '.git . .', '.git::$DATA', '.g\u200cit', '.git\\x'])(
  '%j is .git somewhere',
  name => {
    expect(isDotGit(name)).toBe(true)
  },
)
test.each(['.gitignore', '.github', 'git', 'x.git', 'git~2', '.gi', ''])('%j is not', name => {
  expect(isDotGit(name)).toBe(false)
})

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map(parts => parts.join('/'))
const target = fc.oneof(
  fc.array(fc.constantFrom('a', 'b', 'c', '..', '.'), { minLength: 1, maxLength: 4 }).map(parts => parts.join('/')),
  fc.constant('/etc'),
)
const links = fc.dictionary(path, target, { maxKeys: 6 }).map(made => new Map(Object.entries(made)))
/** A tree cannot hold something below a link. */
const isTree = (made: ReadonlyMap<string, string>) =>
  [...made.keys()].every(one => ![...made.keys()].some(other => other.startsWith(`${one}/`)))

test('a link is judged as the kernel follows it', () => {
  fc.assert(
    fc.property(links.filter(isTree), made => {
      const top = join(temporary(), 'top')
      // So that many targets exist.
      for (const directory of ['a', 'b', 'c/a/b'])
        if (![...made.keys()].some(link => `${directory}/`.startsWith(`${link}/`)))
          mkdirSync(join(top, directory), { recursive: true })
      for (const [link, to] of made) {
        mkdirSync(dirname(join(top, link)), { recursive: true })
        rmSync(join(top, link), { recursive: true, force: true })
        symlinkSync(to, join(top, link))
      }
      for (const link of made.keys()) {
        const answer = follow(join(top, link))
        if (answer === null) continue
        const outside = answer !== top && !answer.startsWith(`${top}/`)
        // What leaves and comes back ends inside, and is refused all the same.
        if (outside) expect(leavesTree(made, link), `${link} in ${JSON.stringify([...made])}`).toBe(true)
        else if (leavesTree(made, link)) expect([...made.values()].some(to => to.includes('..') || to.startsWith('/'))).toBe(true)
      }
    }),
    { numRuns: 60 },
  )
})

test('what left before and did not change is left alone', () => {
  fc.assert(fc.property(links, made => newlyLeaving(made, made).length === 0))
  expect(newlyLeaving(new Map([['a', '/x']]), new Map([['a', '/y']]))).toEqual(['a'])
})

/** Where the kernel ends up; null where nothing is. */
function follow(link: string): string | null {
  try {
    return realpathSync.native(link)
  } catch {
    return null
  }
}
