import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { SpecJobRow } from '#server/store/index.ts'
import { repoAt } from '#server/workspace/fixture.ts'
import { writeBranch } from '#server/workspace/index.ts'
import { type CheckVerdict, type SpecChange, SpecFeature, SpecFeatureSummary } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { anyText } from './fixture.ts'
import {
  applyEdits,
  createOffers,
  createSpecHandlers,
  createSpecReader,
  createWordings,
  type Document,
  hashOf,
  outline,
  parse,
  rename,
  replaceText,
  rootOf,
  SpecEditError,
  type TextEdit,
} from './index.ts'
import { newlyTicked } from './ticks.ts'

const fixture = fileURLToPath(new URL('../../test/fixtures/specs/current', import.meta.url))
const TASKS = 'specs/001-login/tasks.md'
const call = { signal: new AbortController().signal }
const clock = virtualClock()
let root: string
let jobs: SpecJobRow[]
const offers = createOffers({ clock, rootOf })
const specs = createSpecHandlers({
  reader: createSpecReader(),
  offers,
  jobs: async feature => (feature === '001-login' ? jobs : []),
  nameOf: worker => `name of ${worker}`,
  writeBranch,
})

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skein-specs-'))
  cpSync(fixture, root, { recursive: true })
  jobs = []
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const get = (feature: string) => specs.getSpec({ params: { feature }, query: { repository: root } }, call)
const check = (...verdicts: CheckVerdict[]) => verdicts.map(verdict => ({ argv: ['npm', 'run', verdict], verdict }))
const green: SpecJobRow = {
  ...{ jobId: 'g'.repeat(14), state: 'succeeded', task: 'T002', worker: null, checks: check('fixed', 'vacuous') },
  ...{ repository: '', wording: hashOf('Configure the linter in biome.json') },
}
/** A job that proves T002 done, with what is different about it. */
const prove = (change: Partial<SpecJobRow> = {}) => jobs.unshift({ ...green, repository: root, ...change })
const wordingOf = createWordings(createSpecReader())
/** A job that proves a task done as it is worded now. */
const proveNow = async (task: string) => prove({ task, wording: await wordingOf(root, { feature: '001-login', task }) })
const baseOf = (path: string) => ({ path, sha256: hashOf(readFileSync(join(root, path))) })
const tickTask = (task: string, base = baseOf(TASKS)) =>
  specs.editSpec(
    {
      params: { feature: '001-login' },
      body: { repository: root, reason: `Tick ${task}`, bases: [base], change: { kind: 'tick', task, done: true } },
    },
    call,
  )

/** Makes a repository of the work tree, so that what nobody is shown goes to a branch. */
function committed() {
  const repo = repoAt(root)
  repo.git('init', '-q', '-b', 'main')
  repo.git('add', '-A')
  repo.git('commit', '-qm', 'begin')
  return repo
}
const edit = (change: SpecChange, path = TASKS) =>
  specs.editSpec(
    { params: { feature: '001-login' }, body: { repository: root, reason: 'r', bases: [baseOf(path)], change } },
    call,
  )
const replace = (text: string, path = TASKS) => edit({ kind: 'replace', path, text }, path)

test('features are listed with what is in them', async () => {
  const { body } = await specs.listSpecs({ query: { repository: root } }, call)
  expect(body).toMatchObject({
    isComplete: true,
    items: [{ feature: '001-login', title: 'Feature Specification: Sign in with a link' }],
  })
  expect(body.items[0]?.coverage).toEqual({ tasks: 9, done: 1, requirements: 6, covered: 4, clarifications: 2, problems: 6 })
  expect(body.items[0]?.documents.map(({ path, kind }) => `${kind} ${path}`)).toContain(`tasks ${TASKS}`)
})

test('a task has its state from the file, and from the newest job of this work tree that names it', async () => {
  prove({ state: 'failed', jobId: 'p'.repeat(14) })
  prove({ state: 'running', jobId: 'j'.repeat(14), worker: 'w', repository: `${root}/specs/..`, checks: [] })
  prove({ state: 'failed', repository: '/elsewhere' })
  const running = {
    ...{ jobId: 'j'.repeat(14), state: 'running', node: 'name of w' },
    ...{ checks: { green: 0, all: 0 }, commands: [], wording: 'same' },
  }
  const { body } = await get('001-login')
  expect(body.tasks.slice(0, 3).map(({ id, isDone, job, after }) => ({ id, isDone, job, after }))).toEqual([
    { id: 'T001', isDone: true, job: null, after: [] },
    { id: 'T002', isDone: false, job: running, after: [] },
    { id: 'T003', isDone: false, job: null, after: ['T001'] },
  ])
  expect(body.problems.filter(({ code }) => code === 'done-without-job')).toHaveLength(1)
})

test('nothing outside the work tree is read, and no link is followed', async () => {
  symlinkSync('/etc', join(root, 'specs/002-etc'))
  symlinkSync('/etc/passwd', join(root, 'specs/001-login/research.md'))
  const { body } = await specs.listSpecs({ query: { repository: root } }, call)
  expect(body.items.map(({ feature }) => feature)).toEqual(['001-login'])
  expect(body.items[0]?.documents.map(({ path }) => path)).not.toContain('specs/001-login/research.md')
  await expect(get('002-etc')).rejects.toMatchObject({ code: 'not_found' })
  await expect(get('..')).rejects.toMatchObject({ code: 'not_found' })
  await expect(specs.listSpecs({ query: { repository: join(root, 'none') } }, call)).rejects.toMatchObject({ code: 'not_found' })
})

test('with nobody at an editor a change is a branch; work tree, index and HEAD stay, and asking twice makes one', async () => {
  const repo = committed()
  prove()
  const before = [repo.git('status', '--porcelain'), repo.git('rev-parse', 'HEAD'), readFileSync(join(root, TASKS), 'utf8')]
  const answer = await tickTask('T002')
  expect(answer).toMatchObject({ status: 201, body: { status: 'written' } })
  const { branch = '' } = answer.body as { branch?: string }
  expect(branch).toMatch(/^skein\/specs\/001-login-[0-9a-f]{12}$/)
  expect(repo.git('diff', '--stat', '--numstat', 'HEAD', branch)).toMatch(/^1\t1\tspecs\/001-login\/tasks\.md/)
  expect(repo.git('show', `${branch}:${TASKS}`)).toContain('- [x] T002')
  expect(await tickTask('T002')).toEqual(answer)
  expect([repo.git('status', '--porcelain'), repo.git('rev-parse', 'HEAD'), readFileSync(join(root, TASKS), 'utf8')]).toEqual(
    before,
  )
})

test('a change whose base has moved is refused, and so is one that cannot be made', async () => {
  const base = baseOf(TASKS)
  writeFileSync(join(root, TASKS), `${readFileSync(join(root, TASKS), 'utf8')}\n`)
  await expect(tickTask('T002', base)).rejects.toMatchObject({ code: 'base_moved' })
  await expect(tickTask('T099')).rejects.toMatchObject({ code: 'edit_refused' })
  const rename = { kind: 'rename', from: 'FR-001', to: 'FR-100' } as const
  const asked = { repository: root, reason: 'r', bases: [baseOf(TASKS)], change: rename }
  // Renaming reaches the specification too, which it was not made for.
  await expect(specs.editSpec({ params: { feature: '001-login' }, body: asked }, call)).rejects.toMatchObject({
    code: 'base_moved',
  })
  expect(await tickTask('T001')).toEqual({ status: 200, body: { status: 'unchanged' } })
})

test('with somebody at an editor a change is offered there, once, until it is answered', async () => {
  prove()
  const abort = new AbortController()
  const following = offers.follow(join(root, '.'), 0, abort.signal)
  const first = following.next()
  await vi.waitFor(() => expect(offers.isAttended(root)).toBe(true))
  const answer = await tickTask('T002')
  expect(answer).toMatchObject({ status: 202, body: { status: 'offered' } })
  const { value: offer } = await first
  expect(offer).toMatchObject({ repository: root, reason: 'Tick T002', documents: [{ path: TASKS, edits: [{ text: 'x' }] }] })
  expect(await tickTask('T002')).toEqual(answer)
  const params = { id: offer?.id ?? 0 }
  expect((await specs.getSpecOffer({ params }, call)).body).toMatchObject({ outcome: 'open' })
  const refused = { params, body: { outcome: 'refused', detail: 'Not now' } } as const
  await specs.answerSpecOffer(refused, call)
  expect((await specs.getSpecOffer({ params }, call)).body).toMatchObject({ outcome: 'refused', detail: 'Not now' })
  await expect(specs.answerSpecOffer(refused, call)).rejects.toMatchObject({ code: 'already_answered' })
  const next = following.next()
  abort.abort()
  expect((await next).done).toBe(true)
  expect(offers.isAttended(root)).toBe(false)
  clock.advance(3_700_000)
  await expect(specs.getSpecOffer({ params }, call)).rejects.toMatchObject({ code: 'not_found' })
})

test('a box is ticked from evidence, whoever asks and however', async () => {
  const abort = new AbortController()
  onTestFinished(() => abort.abort())
  void offers.follow(root, 0, abort.signal).next()
  await vi.waitFor(() => expect(offers.isAttended(root)).toBe(true))
  const refused = (detail: RegExp) => ({ code: 'no_evidence', message: expect.stringMatching(detail) })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/^No job was for T002/))
  prove({ repository: '/elsewhere' })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/^No job was for T002/))
  prove({ checks: [] })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/without a check/))
  prove({ checks: check('fixed', 'broken') })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/1 of 2 checks .* red/))
  prove()
  prove({ state: 'failed' })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/it is failed/))
  const before = readFileSync(join(root, TASKS), 'utf8')
  const asWords = before.replace('- [ ] T002', '- [x] T002')
  await expect(replace(asWords)).rejects.toMatchObject(refused(/T002/))
  await expect(replace(`${before}\n- [x] T098 done, believe me\n`)).rejects.toMatchObject(refused(/T098/))
  expect(await replace(before.replace('biome.json', 'biome.jsonc'))).toMatchObject({ status: 202 })
  prove()
  expect(await replace(asWords)).toMatchObject({ status: 202 })
})

test('evidence stays with the words it was for', async () => {
  const write = (alter: (text: string) => string) =>
    writeFileSync(join(root, TASKS), alter(readFileSync(join(root, TASKS), 'utf8')))
  const stands = async (task: string) => (await get('001-login')).body.tasks.find(({ id }) => id === task)?.job?.wording
  prove()
  expect(await stands('T002')).toBe('same')
  // Wrapped, moved, labelled or ticked anew a task asks for the same.
  write(text => text.replace('- [ ] T002 [P] Configure the linter', '\n* [ ] **T002**: [US2] Configure\n  the linter'))
  expect(await stands('T002')).toBe('same')
  write(text => text.replace('biome.json', 'biome.json, and say why'))
  expect(await stands('T002')).toBe('changed')
  await expect(tickTask('T002')).rejects.toMatchObject({
    code: 'no_evidence',
    message: expect.stringMatching(/does not ask for what/),
  })
  await proveNow('T002')
  // Another task under the number of one that is proven has nothing of its proof.
  write(text => text.replaceAll('T002', 'T020').replaceAll('T003', 'T002'))
  expect([await stands('T002'), await stands('T020')]).toEqual(['changed', undefined])
  await expect(tickTask('T002')).rejects.toMatchObject({ code: 'no_evidence' })
  await expect(tickTask('T020')).rejects.toMatchObject({ code: 'no_evidence', message: 'No job was for T020.' })
  prove({ wording: null })
  expect(await stands('T002')).toBe('unknown')
  await expect(tickTask('T002')).rejects.toMatchObject({ code: 'no_evidence', message: expect.stringMatching(/is not known/) })
})

test('a ticked box that a job for other words stands behind is said to have none', async () => {
  const hints = async () => (await get('001-login')).body.problems.filter(({ code }) => code === 'done-without-job').length
  expect(await hints()).toBe(1)
  await proveNow('T001')
  expect(await hints()).toBe(0)
  writeFileSync(join(root, TASKS), readFileSync(join(root, TASKS), 'utf8').replace('Create the', 'Delete the'))
  expect(await hints()).toBe(1)
})

test('what a whole document ticks, or says otherwise of what is ticked, wants evidence for each box', async () => {
  const before = readFileSync(join(root, TASKS), 'utf8')
  const refused = (detail: RegExp) => ({ code: 'no_evidence', message: expect.stringMatching(detail) })
  committed()
  await proveNow('T001')
  // Other words under a tick that is there, also where they only follow on the next line.
  const reworded = before.replace('T001 Create the project', 'T001 Ship the project')
  await expect(replace(reworded)).rejects.toMatchObject(refused(/^T001 does not ask/))
  await expect(replace(before.replace('`package.json`', '`package.json`\n  and ship it'))).rejects.toMatchObject(refused(/^T001/))
  // A second line that takes the tick of the first.
  await expect(replace(`${before}\n## More\n- [x] T001 Create the project in \`package.json\`\n`)).rejects.toMatchObject(
    refused(/^2 tasks would be T001/),
  )
  // Proven, but not which of the two.
  prove()
  const twice = before.replace('- [ ] T002', '- [x] T002').replace('## Phase 2', '- [ ] T002 other\n\n## Phase 2')
  await expect(replace(twice)).rejects.toMatchObject(refused(/^2 tasks would be T002/))
  // A comment that ends earlier makes a box of what was none.
  await expect(replace(before.replace('- [ ] T902', '-->\n- [x] T902'))).rejects.toMatchObject(refused(/T902/))
  // What looks ticked to a person is held to the same, though it is too long to be read as a task.
  const long = before.replace('- [ ] T003 Store', `- [x] T003 ${'x'.repeat(10_001)} Store`)
  await expect(replace(long)).rejects.toMatchObject(refused(/no task/))
  // Moving a tick along with its words, and clearing one, ask for nothing.
  const [line = ''] = /- \[x\] T001.*\n/.exec(before) ?? []
  const moved = before.replace(line, '').replace('## Phase 2', `${line}\n## Phase 2`)
  expect(await replace(moved)).toMatchObject({ status: 201 })
  expect(await replace(before.replace('- [x]', '- [ ]'))).toMatchObject({ status: 201 })
})

test('a box that is no task’s is ticked by a person alone', async () => {
  committed()
  const LIST = 'specs/001-login/checklists/security.md'
  const refused = { code: 'no_evidence', message: expect.stringMatching(/no job proves it/) }
  writeFileSync(join(root, LIST), '# A\n## One\n- [ ] CHK001 Safe\n- [x] Reviewed\n  - [ ] by two\n## Two\n- [ ] Reviewed\n')
  const before = readFileSync(join(root, LIST), 'utf8')
  const swapped = before.replace('[x] Reviewed', '[ ] Reviewed').replace(/\[ \] Reviewed\n$/, '[x] Reviewed\n')
  for (const text of [
    before.replace('[ ] CHK001', '[x] CHK001'),
    before.replace('[ ] by two', '[x] by two'),
    before.replace('[x] Reviewed', '[x] Not reviewed'),
    `${before}- [X] New\n`,
    // One tick for another, under another heading.
    swapped,
  ])
    await expect(replace(text, LIST), text).rejects.toMatchObject(refused)
  expect(await replace(before.replace('Safe', 'Very safe'), LIST)).toMatchObject({ status: 201 })
  const nested = readFileSync(join(root, TASKS), 'utf8').replace('  - covers FR-002', '  - [x] covers FR-002')
  await expect(replace(nested)).rejects.toMatchObject(refused)
})

test('whoever is shown a tick is shown which checks prove it', async () => {
  const repo = committed()
  prove()
  const { body } = await tickTask('T002')
  const { commit } = body as { commit: string }
  expect(repo.git('show', '-s', '--format=%B', commit)).toContain(
    `Tick T002\n\nT002: job ${'g'.repeat(14)}, checks npm run fixed (red before, green after), npm run vacuous (green before too)`,
  )
})

test('no change ticks a box without evidence, whatever it is', async () => {
  const ticksIn = (text: string) => (text.match(/^[\s>]*(?:[-*+]|\d+[.)])[ \t]+\[[xX]\](?=[ \t\r\n]|$)/gm) ?? []).length
  const reader = createSpecReader()
  await fc.assert(
    fc.asyncProperty(anyText, anyText, async (before, after) => {
      writeFileSync(join(root, TASKS), before)
      const feature = (await reader.read(root, '001-login')) ?? expect.unreachable()
      const document = feature.documents.find(({ path }) => path === TASKS) ?? expect.unreachable()
      const change = { kind: 'replace', path: TASKS, text: after } as const
      const found = newlyTicked(feature, change, [{ document, edits: replaceText(document.document, after) }])
      const [old, now] = [document.document, parse(after)].map(({ lines }) => lines.filter(({ box }) => box?.isTicked).length)
      // Each tick more than before is found at least.
      expect(found.length).toBeGreaterThanOrEqual((now ?? 0) - (old ?? 0))
      // With nothing else to go by, a document held to itself ticks nothing, and one held to an empty one all it has.
      expect(newlyTicked(feature, { ...change, text: before }, [{ document, edits: [] }])).toEqual([])
      expect(ticksIn(after) === 0 ? found : []).toEqual([])
    }),
    { numRuns: 300 },
  )
})

test('renaming keeps every box as it is', () => {
  const id = fc.constantFrom('T001', 'T002', 'T009', 'US1', 'US9', 'FR-001', 'FR-009', 'CHK001', 'CHK-1', 'CHK9')
  fc.assert(
    fc.property(anyText, id, id, (text, from, to) => {
      const document = parse(text)
      const boxes = (one: Document) => one.lines.map(({ box }) => box && [box.isTicked, box.indent])
      const file = { path: TASKS, kind: 'tasks' as const, document, outline: outline(document, 'tasks') }
      let edits: readonly TextEdit[] = []
      try {
        edits = rename([file], from, to)[0]?.edits ?? []
      } catch (error) {
        if (!(error instanceof SpecEditError)) throw error
      }
      expect(boxes(parse(applyEdits(text, edits)))).toEqual(boxes(document))
    }),
    { numRuns: 500 },
  )
})

test('two features of one number are two, and of one name the one under specs/ counts', async () => {
  const write = (path: string, text: string | Uint8Array) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  write('specs/001-logout/tasks.md', '# Tasks: out\n- [ ] T001 a')
  write('.specify/specs/001-logout/tasks.md', '# Tasks: hidden\n- [ ] T009 a')
  write('.specify/specs/002-old/tasks.md', '- [ ] T001 a')
  // What the API cannot name, it does not list.
  for (const odd of ['.hidden', 'back\\slash', 'x'.repeat(200)]) write(`specs/${odd}/tasks.md`, '- [ ] T001 a')
  write('specs/-f; rm \n*/tasks.md', '- [ ] T001 a')
  write('specs/empty/notes.txt', 'x')
  const { body } = await specs.listSpecs({ query: { repository: root } }, call)
  expect(SpecFeatureSummary.array().safeParse(body.items).success).toBe(true)
  expect(body.items.map(({ feature, documents }) => [feature, documents.length])).toEqual([
    ['-f; rm \n*', 1],
    ['001-login', 5],
    ['001-logout', 1],
    ['002-old', 1],
  ])
  expect((await get('001-logout')).body.tasks.map(({ id }) => id)).toEqual(['T001'])
})

test('what is too large is named and not read, and what is not UTF-8 is read and not changed', async () => {
  writeFileSync(join(root, 'specs/001-login/research.md'), 'x'.repeat(2 * 1024 * 1024 + 1))
  writeFileSync(join(root, TASKS), Buffer.concat([readFileSync(join(root, TASKS)), Buffer.from([0xff])]))
  const { body } = await get('001-login')
  expect(body.problems.filter(({ code }) => code === 'too-large').map(({ path }) => path)).toEqual([
    'specs/001-login/research.md',
  ])
  expect(body.tasks).toHaveLength(9)
  prove()
  await expect(tickTask('T002')).rejects.toMatchObject({ code: 'edit_refused', message: expect.stringContaining('not UTF-8') })
})

test('a document that changed is read anew', async () => {
  expect((await get('001-login')).body.coverage.done).toBe(1)
  writeFileSync(join(root, TASKS), readFileSync(join(root, TASKS), 'utf8').replace('- [ ] T002', '- [x] T002'))
  expect((await get('001-login')).body.coverage.done).toBe(2)
})

test('whatever the documents say, the answer fits its schema', async () => {
  await fc.assert(
    fc.asyncProperty(anyText, anyText, anyText, async (spec, tasks, checks) => {
      writeFileSync(join(root, 'specs/001-login/spec.md'), spec)
      writeFileSync(join(root, TASKS), tasks)
      writeFileSync(join(root, 'specs/001-login/checklists/security.md'), checks)
      const { body } = await get('001-login')
      expect(SpecFeature.safeParse(body).error).toBeUndefined()
    }),
    { numRuns: 300 },
  )
})
