import { describe, expect, it } from 'vitest'
import { createFeature, type Feature, outline, parse, print, problemsOf } from './index.ts'

const tasksFile = (text: string) => {
  const document = parse(text)
  return { path: 'tasks.md', kind: 'tasks' as const, document, outline: outline(document, 'tasks') }
}
const specFile = (text: string) => {
  const document = parse(text)
  return { path: 'spec.md', kind: 'spec' as const, document, outline: outline(document, 'spec') }
}
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index + 1)).join('\n')
const codes = (feature: Feature) =>
  Object.groupBy(
    problemsOf(feature, () => false),
    ({ code }) => code,
  )

/** Each would take time or memory out of all proportion, if what it says were taken at its word. */
describe('what a small document says is held to a measure', () => {
  it('hundreds of tasks that wait for hundreds of others', () => {
    const text = lines(20_000, () => 'T001-T200 → T001-T200 → T201-T400')
    const file = tasksFile(text)
    expect(file.outline.dependencies).toHaveLength(100_000)
    expect(print(file.document)).toBe(text)
  })

  it('rings over rings of tasks', () => {
    const feature = createFeature([tasksFile(lines(20_000, index => `- [ ] T${index} (depends on T${index + 1}, T1)`))])
    const { 'dependency-cycle': cycles = [] } = codes(feature)
    expect(cycles).toHaveLength(100)
    for (const { message } of cycles) expect(message.length).toBeLessThan(200)
  })

  it('a chain as long as a document', () => {
    const text = lines(20_000, index => `- [ ] T${index} (depends on T${index + 1})`)
    expect(codes(createFeature([tasksFile(text)]))['dependency-cycle']).toBeUndefined()
    expect(codes(createFeature([tasksFile(`${text}\nT20001 depends on T1`)]))['dependency-cycle']).toHaveLength(1)
  })

  it('every task of a story for every requirement that its section names', () => {
    const story = `### User Story 1 - All (Priority: P1)\n${lines(5_000, index => `- **FR-${index}**: x`)}`
    const feature = createFeature([specFile(story), tasksFile(lines(5_000, index => `- [ ] T${index} [US1] x`))])
    const covering = [...feature.coverage.values()]
    expect(covering).toHaveLength(5_000)
    expect(covering.reduce((sum, tasks) => sum + tasks.length, 0)).toBeLessThanOrEqual(105_000)
    expect(codes(feature)['requirement-without-task']).toBeUndefined()
  })

  it('the same id again and again', () => {
    const document = parse(lines(50_000, () => '- [ ] CHK001 x'))
    const checklist = { path: 'c.md', kind: 'checklist' as const, document, outline: outline(document, 'checklist') }
    expect(codes(createFeature([checklist]))['duplicate-id']).toHaveLength(49_999)
  })
})

it.each([
  ['backticks of every length', lines(600, index => '`'.repeat(index)).replaceAll('\n', ' ')],
  ['comments that nothing closes', '`<!-- '.repeat(40_000)],
  ['dots in front of a slash', `- [ ] T001 ${'.'.repeat(9_000)}/\n`.repeat(100)],
  ['brackets', `- [ ] T001 ${'[('.repeat(4_000)}/\n`.repeat(100)],
  ['quotations', '>'.repeat(200_000)],
  ['carriage returns', '\r'.repeat(200_000)],
])('%s are read in time', (_, text) => {
  expect(print(parse(text))).toBe(text)
})

it('a line too long to be one of a list has its ids, for renaming, and says nothing', () => {
  const long = `- [ ] T001 depends on T002 ${'x'.repeat(10_000)}`
  const { document, outline: said } = tasksFile(`${long}\n- [ ] T003 y`)
  expect(said.tasks.map(({ id }) => id)).toEqual(['T003'])
  expect(document.lines[0]?.mentions.map(({ id }) => id)).toEqual(['T001', 'T002'])
  const commented = tasksFile(`<!-- ${'x'.repeat(20_000)}\n${'y'.repeat(20_000)} -->\n- [ ] T003 y`)
  expect(commented.outline.tasks.map(({ id }) => id)).toEqual(['T003'])
})

it.each([
  ['code', '```\n- [x] T001 a\n```'],
  ['code by tildes that a longer run closes', '~~~\n- [x] T001 a\n```\n~~~~'],
  ['code in a quotation', '> ```\n> - [x] T001 a\n> ```'],
  ['a comment', '<!--\n- [x] T001 a\n-->'],
  ['a comment on one line', '<!-- - [x] T001 a -->'],
  ['a table', '| T001 | - [x] T001 a |\n|---|---|'],
  ['inline code', 'say `- [x] T001 a`'],
  ['front matter', '---\ntask: T001\n- [x] T001 a\n---'],
  ['indented code', 'text\n\n    - [x] T001 a'],
])('a task in %s is none', (_, inside) => {
  for (const end of ['\n', '\r\n', '\r']) {
    const { outline: said } = tasksFile(`${inside}\n\n- [ ] T002 b`.replaceAll('\n', end))
    expect(said.tasks.map(({ id }) => id)).toEqual(['T002'])
  }
})
