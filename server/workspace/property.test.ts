import { chmodSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cacheOf, checkedOut, newJobId, newRepo, newWorkspace, type Repo, repoAt } from './fixture.ts'
import { applyResult } from './index.ts'

/** A file's content, or where a link leads, or nothing. */
type Edit = { readonly path: string; readonly to: string | { readonly link: string } | null; readonly executable: boolean }

const path = fc.constantFrom('a', 'b c', 'd/x', 'd/y', 'd/e/z', 'é"\n', 'a/inside', 'f.bin', '.gitignore', 'ignored/x')
const content = fc.oneof(
  fc.constantFrom('', 'one\n', 'one\ntwo\n', 'one\ntwo\nthree\n', '\0binary\xff', 'ignored\n', 'no end'),
  fc.string({ maxLength: 20 }),
)
const edit: fc.Arbitrary<Edit> = fc.record({
  path,
  to: fc.oneof(
    { weight: 5, arbitrary: content },
    { weight: 1, arbitrary: fc.constantFrom({ link: 'a' }, { link: 'd/x' }) },
    { weight: 2, arbitrary: fc.constant(null) },
  ),
  executable: fc.boolean(),
})
const edits = fc.array(edit, { maxLength: 8 })

/** Does what can be done: an edit below a file or link is passed over. */
function perform(repo: Repo, changes: readonly Edit[]): void {
  for (const { path, to, executable } of changes) {
    const file = join(repo.path, path)
    try {
      rmSync(file, { recursive: true, force: true })
      if (to === null) continue
      mkdirSync(dirname(file), { recursive: true })
      if (typeof to === 'string') {
        writeFileSync(file, to)
        chmodSync(file, executable ? 0o755 : 0o644)
      } else symlinkSync(path.includes('/') ? `${'../'.repeat(path.split('/').length - 1)}${to.link}` : to.link, file)
    } catch (error) {
      if (!/ENOTDIR|EEXIST|ENOENT|ELOOP|symbolic links/.test(String(error))) throw error
    }
  }
}

function treeOfAddAll(repo: Repo): string {
  repo.git('add', '-A')
  return repo.git('write-tree')
}

test('a snapshot is what `git add -A` takes, a result what the agent left, and applying one gives the other', async () => {
  const bench = newWorkspace()
  await fc.assert(
    fc.asyncProperty(edits, edits, edits, edits, async (committed, staged, unstaged, agents) => {
      const repo = newRepo()
      perform(repo, committed)
      repo.commit()
      perform(repo, staged)
      repo.git('add', '-A')
      perform(repo, unstaged)
      const jobId = newJobId()
      const snapshot = await bench.workspace.snapshot({ path: repo.path, include: 'changes' }, jobId)
      const cache = cacheOf(bench, snapshot)
      const before = cache.git('rev-parse', `${snapshot.commit}^{tree}`)
      const other = repo.file(`.git/index-${jobId}`)
      cpSync(repo.file('.git/index'), other, { preserveTimestamps: true })
      expect(before).toBe(treeOfAddAll(repo.withEnv({ GIT_INDEX_FILE: other })))

      const dir = await checkedOut(bench, snapshot)
      perform(repoAt(dir), agents)
      const result = await bench.workspace
        .commitResult({ snapshot, dir, jobId, epoch: 1, message: 'x', trailers: {}, maxBytes: 1e6 })
        .catch(error => error)
      // Links that point at each other in a circle lead nowhere, which is refused; the rest is about what is taken.
      if (result instanceof Error) {
        expect(result).toMatchObject({ code: 'unsafe_path' })
        return
      }
      const after = result.commit === null ? before : cache.git('rev-parse', `${result.commit}^{tree}`)
      expect(after).toBe(treeOfAddAll(repoAt(dir)))
      if (result.commit === null) return
      await bench.workspace.deliver(snapshot, result.commit, jobId, repo.path)
      const outcome = await applyResult({ repositoryPath: repo.path, commit: result.commit, base: snapshot.commit })
      // A file that is ignored here may be in the way.
      if ('conflicts' in outcome) {
        expect(outcome.conflicts.some(each => each.startsWith('ignored') || each === 'd' || each === 'a')).toBe(true)
        return
      }
      const again = await bench.workspace.snapshot({ path: repo.path, include: 'changes' }, newJobId())
      const ignoresChanged = agents.some(each => each.path === '.gitignore')
      if (!ignoresChanged) expect(cache.git('rev-parse', `${again.commit}^{tree}`)).toBe(after)
    }),
    { numRuns: 25 },
  )
}, 180_000)
