import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { SpecJobRow } from '#server/store/index.ts'
import { repoAt } from '#server/workspace/fixture.ts'
import { writeBranch } from '#server/workspace/index.ts'
import { SpecFeature, SpecFeatureSummary } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { anyText } from './fixture.ts'
import { createOffers, createSpecHandlers, createSpecReader, hashOf, rootOf } from './index.ts'

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
const green: SpecJobRow = {
  ...{ jobId: 'g'.repeat(14), state: 'succeeded', task: 'T002', worker: null, checks: { green: 2, all: 2 } },
  repository: '',
}
/** A job that proves T002 done, with what is different about it. */
const prove = (change: Partial<SpecJobRow> = {}) => jobs.unshift({ ...green, repository: root, ...change })
const baseOf = (path: string) => ({ path, sha256: hashOf(readFileSync(join(root, path))) })
const tickTask = (task: string, base = baseOf(TASKS)) =>
  specs.editSpec(
    {
      params: { feature: '001-login' },
      body: { repository: root, reason: `Tick ${task}`, bases: [base], change: { kind: 'tick', task, done: true } },
    },
    call,
  )

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
  prove({ state: 'running', jobId: 'j'.repeat(14), worker: 'w', repository: `${root}/specs/..`, checks: { green: 0, all: 0 } })
  prove({ state: 'failed', repository: '/elsewhere' })
  const running = { jobId: 'j'.repeat(14), state: 'running', node: 'name of w', checks: { green: 0, all: 0 } }
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
  const repo = repoAt(root)
  repo.git('init', '-q', '-b', 'main')
  repo.git('add', '-A')
  repo.git('commit', '-qm', 'begin')
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
  prove({ checks: { green: 0, all: 0 } })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/without a check/))
  prove({ checks: { green: 1, all: 2 } })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/1 of 2 checks .* red/))
  prove()
  prove({ state: 'failed' })
  await expect(tickTask('T002')).rejects.toMatchObject(refused(/it is failed/))
  const before = readFileSync(join(root, TASKS), 'utf8')
  const replace = (text: string) =>
    specs.editSpec(
      {
        params: { feature: '001-login' },
        body: { repository: root, reason: 'r', bases: [baseOf(TASKS)], change: { kind: 'replace', path: TASKS, text } },
      },
      call,
    )
  const asWords = before.replace('- [ ] T002', '- [x] T002')
  await expect(replace(asWords)).rejects.toMatchObject(refused(/T002/))
  await expect(replace(`${before}\n- [x] T098 done, believe me\n`)).rejects.toMatchObject(refused(/T098/))
  expect(await replace(before.replace('biome.json', 'biome.jsonc'))).toMatchObject({ status: 202 })
  prove()
  expect(await replace(asWords)).toMatchObject({ status: 202 })
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
