import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createFeature, type Feature, fixesFor, outline, parse, placeOf, print, problemsOf } from './index.ts'

const root = fileURLToPath(new URL('../../test/fixtures/specs/', import.meta.url))

/** A feature of the fixtures, its text changed by `alter`. */
function feature(repository: string, alter: (text: string) => string = text => text): Feature {
  const files = readdirSync(root + repository, { recursive: true, encoding: 'utf8' })
  const documents = files.sort().flatMap(path => {
    const place = placeOf(path)
    if (!place?.feature) return []
    const document = parse(alter(readFileSync(`${root}${repository}/${path}`, 'utf8')))
    return [{ path, kind: place.kind, document, outline: outline(document, place.kind) }]
  })
  return createFeature(documents)
}
const shapes: [string, (text: string) => string][] = [
  ['as they are', text => text],
  ['with the line ends of Windows', text => text.replaceAll('\n', '\r\n')],
  ['with old line ends', text => text.replaceAll('\n', '\r')],
  ['with a byte order mark', text => `\uFEFF${text}`],
  ['without a final line end', text => text.trimEnd()],
]
const told = (given: Feature): string[] =>
  problemsOf(given, null).map(
    ({ code, severity, path, line, id }) => `${severity} ${code} ${id} ${path.replace(/^.*\//, '')}:${line + 1}`,
  )

describe.each(shapes)('documents %s', (_, alter) => {
  it('of the templates of today', () => {
    const given = feature('current', alter)
    expect(given.title).toBe('Feature Specification: Sign in with a link')
    expect(given.stories.map(({ id, title, priority }) => [id, title, priority])).toEqual([
      ['US1', 'Ask for a link', 'P1'],
      ['US2', 'Follow the link 🎯', 'P2'],
    ])
    expect(given.requirements.map(({ id }) => id)).toEqual([
      'FR-001',
      'FR-002',
      'FR-003',
      'FR-004',
      'FR-005',
      'NFR-001',
      'SC-001',
      'SC-002',
    ])
    expect(given.requirements[3]?.text).toBe('The system MUST keep no password')
    expect(given.requirements[4]?.text).toBe('A link works once')
    expect(given.tasks.map(({ id }) => id)).toEqual(['T001', 'T002', 'T003', 'T004', 'T005', 'T006', 'T007', 'T008', 'T009'])
    expect(given.tasks[4]).toMatchObject({
      story: 'US1',
      phase: 'Phase 3: User Story 1 - Ask for a link (Priority: P1) 🎯 MVP',
      title: 'Send mails in src/mail.ts (depends on T003, T004)',
    })
    expect(given.tasks.flatMap(({ paths }) => paths.map(({ path }) => path))).toEqual([
      'package.json',
      'src/store/links.ts',
      'tests/contract/links.test.ts',
      'src/mail.ts',
      'src/routes/links.ts',
      'src/link.ts',
      'src/routes/session.ts',
      'docs/',
    ])
    expect(given.documents.flatMap(({ outline }) => outline.dependencies.map(({ task, after }) => `${task}<${after}`))).toEqual([
      'T003<T001',
      'T005<T003',
      'T005<T004',
      'T008<T007',
    ])
    expect(Object.fromEntries(given.coverage)).toEqual({
      'FR-001': ['T004', 'T005', 'T006'],
      'FR-002': ['T005', 'T004', 'T006'],
      'FR-003': ['T007'],
      'FR-005': ['T007'],
    })
    expect(told(given)).toEqual([
      'warning missing-id null security.md:9',
      'warning needs-clarification null plan.md:9',
      'warning needs-clarification null spec.md:46',
      'warning requirement-without-task FR-004 spec.md:47',
      'warning requirement-without-task NFR-001 spec.md:52',
      'warning unknown-id T900 tasks.md:12',
    ])
  })

  it('of the first templates', () => {
    const given = feature('early', alter)
    expect(given.tasks.map(({ id, phase }) => `${id} ${phase?.slice(0, 9)}`)).toEqual([
      'T001 Phase 3.1',
      'T002 Phase 3.1',
      'T003 Phase 3.2',
      'T004 Phase 3.2',
      'T005 Phase 3.3',
      'T006 Phase 3.3',
    ])
    expect(given.documents.flatMap(({ outline }) => outline.dependencies.map(({ task, after }) => `${task}<${after}`))).toEqual([
      'T005<T003',
      'T005<T004',
      'T006<T003',
      'T006<T004',
      'T006<T005',
      'T099<T005',
      'T006<T002',
    ])
    expect(told(given)).toEqual([
      'info requirement-without-task FR-001 spec.md:11',
      'warning needs-clarification null spec.md:12',
      'info requirement-without-task FR-002 spec.md:12',
      'warning missing-id null tasks.md:17',
      'warning unknown-id T099 tasks.md:21',
    ])
  })

  it('in other languages', () => {
    const given = feature('languages', alter)
    expect(given.stories.map(({ id, title, priority }) => `${id} ${priority} ${title}`)).toEqual([
      'US1 P1 傘を借りる',
      'US2 P2 우산 반납',
      'US3 P3 Perder un paraguas',
    ])
    expect(given.requirements.map(({ id, text }) => `${id} ${text}`)).toEqual([
      'FR-001 人は傘を借りることができる',
      'FR-002 Цена «за час» видна',
    ])
    expect(given.tasks.map(({ id, phase, story }) => [id, phase, story])).toEqual([
      ['T001', 'フェーズ 1: 準備', null],
      ['T002', 'フェーズ 1: 準備', null],
      ['T003', 'フェーズ 2: ユーザーストーリー 1', 'US1'],
    ])
    expect(given.documents.flatMap(({ outline }) => outline.dependencies.map(({ task, after }) => `${task}<${after}`))).toEqual([
      'T002<T001',
      'T003<T001',
      'T003<T002',
    ])
    expect(told(given)).toEqual([])
  })

  it('with lists of every shape', () => {
    const given = feature('nested', alter)
    expect(given.tasks.map(({ id }) => id)).toEqual([
      'T001',
      'T002',
      'T003',
      'T004',
      'T005',
      'T006',
      'T007',
      'T008',
      'T009',
      'T010',
      'T011',
      'T012',
      'T010',
      'T015',
      'T016',
    ])
    expect(given.tasks[3]).toMatchObject({ title: 'bold', box: { isParallel: true } })
    expect(told(given)).toEqual([
      'error path-outside T010 tasks.md:22',
      'error path-outside T010 tasks.md:22',
      'error path-outside T010 tasks.md:22',
      'error dependency-cycle T012 tasks.md:24',
      'error duplicate-id T010 tasks.md:25',
      'warning missing-id null tasks.md:26',
      'warning unknown-id T013 tasks.md:27',
      'warning unknown-id T014 tasks.md:28',
    ])
  })
})

it('every problem that an edit can mend is gone after its fix', () => {
  for (const repository of ['current', 'early', 'nested']) {
    const given = feature(repository)
    const problems = problemsOf(given, () => false)
    for (const problem of problems)
      for (const { path, edits } of fixesFor(given, problem)) {
        const documents = given.documents.map(file => {
          if (file.path !== path) return file
          const [edit] = edits
          const text = print(file.document)
          const document = parse(edit ? text.slice(0, edit.start) + edit.text + text.slice(edit.end) : text)
          return { ...file, document, outline: outline(document, file.kind) }
        })
        const after = problemsOf(createFeature(documents), () => false)
        const count = (list: typeof after) => list.filter(({ code, id }) => code === problem.code && id === problem.id).length
        expect(count(after), `${problem.code} ${problem.id}`).toBe(count(problems) - 1)
      }
  }
})
