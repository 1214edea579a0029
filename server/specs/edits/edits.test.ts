import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFeature, type FeatureDocument, placesOf, problemsOf } from '../analysis/index.ts'
import { anyText } from '../fixture.ts'
import { outline, parse, print } from '../language/index.ts'
import { applyEdits, fixesFor, hashOf, rename, replaceText, requireBase, SpecEditError, tick } from './index.ts'

const file = (path: string, kind: FeatureDocument['kind'], text: string): FeatureDocument => {
  const document = parse(text)
  return { path, kind, document, outline: outline(document, kind) }
}
const codeOf = (work: () => unknown): string | null => {
  try {
    work()
    return null
  } catch (error) {
    return error instanceof SpecEditError ? error.code : String(error)
  }
}

describe('a task is ticked', () => {
  const text = '\uFEFF# Tasks\r\n\r\n> * [ ]  T001 one\r\n- [X] T002 two\r\n- [ ] T003\r\n- [ ] T003'
  const files = [file('tasks.md', 'tasks', text)]

  it('by one character', () => {
    const { edits } = tick(files, 'T001', true)
    expect(applyEdits(text, edits)).toBe(text.replace('[ ]  T001', '[x]  T001'))
    expect(applyEdits(text, tick(files, 'T002', false).edits)).toBe(text.replace('[X]', '[ ]'))
  })

  it('by nothing when it is ticked already', () => {
    expect(tick(files, 'T002', true).edits).toEqual([])
  })

  it('only when it is one task', () => {
    expect(codeOf(() => tick(files, 'T009', true))).toBe('no_such_id')
    expect(codeOf(() => tick(files, 'T003', true))).toBe('ambiguous_id')
  })
})

describe('an id is renamed', () => {
  it('wherever it stands, as it is written there, and no part of another is', () => {
    const spec =
      '### User Story 1 - A (Priority: P1)\nUS1, US-1, US10, user story 1, User Story 11\n<!-- US1 -->\n```\nUS1\n```\n`US1`'
    const [changed] = rename([file('spec.md', 'spec', spec)], 'US1', 'US4')
    expect(applyEdits(spec, changed?.edits ?? [])).toBe(
      '### User Story 4 - A (Priority: P1)\nUS4, US-4, US10, user story 4, User Story 11\n<!-- US4 -->\n```\nUS4\n```\n`US4`',
    )
  })

  it('in every document that has it, and in no other', () => {
    const files = [
      file('spec.md', 'spec', '- **FR-001**: a'),
      file('tasks.md', 'tasks', '- [ ] T001 FR-001和FR-0011'),
      file('plan.md', 'plan', 'x'),
    ]
    expect(rename(files, 'FR-001', 'FR-100').map(({ path, edits }) => `${path} ${edits.length}`)).toEqual([
      'spec.md 1',
      'tasks.md 1',
    ])
  })

  it('to one of its own kind that is free', () => {
    const files = [file('tasks.md', 'tasks', '- [ ] T001 a\n- [ ] T002 b')]
    expect(codeOf(() => rename(files, 'T001', 'T002'))).toBe('id_taken')
    expect(codeOf(() => rename(files, 'T001', 'FR-001'))).toBe('bad_id')
    expect(codeOf(() => rename(files, 'T001', 'T1 && x'))).toBe('bad_id')
    expect(codeOf(() => rename(files, 'T009', 'T010'))).toBe('no_such_id')
  })
})

describe('a document is replaced', () => {
  const lines = fc
    .array(fc.constantFrom('a\n', 'b\n', 'c\r\n', '\n', '\r', '- [ ] T001 x\n', 'end'), { maxLength: 12 })
    .map(parts => parts.join(''))

  it('by edits that give the text asked for', () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        expect(applyEdits(before, replaceText(parse(before), after))).toBe(after)
      }),
      { numRuns: 2000 },
    )
  })

  it('by the lines that differ alone', () => {
    const document = parse('a\nb\nc\nd\ne\nf\n')
    expect(replaceText(document, 'a\nB\nc\nd\nE\nf\n')).toEqual([
      { start: 2, end: 4, text: 'B\n' },
      { start: 8, end: 10, text: 'E\n' },
    ])
    expect(replaceText(document, print(document))).toEqual([])
  })
})

it('an edit for another base is refused, with both named', () => {
  expect(codeOf(() => requireBase({ path: 'tasks.md', sha256: hashOf('a') }, 'a'))).toBeNull()
  expect(() => requireBase({ path: 'tasks.md', sha256: hashOf('a') }, 'b')).toThrow(
    /tasks\.md has changed since this edit was made/,
  )
})

it('edits that overlap or leave the text are refused', () => {
  const one = { start: 0, end: 3, text: '' }
  expect(codeOf(() => applyEdits('abcdef', [one, { ...one, start: 2, end: 4 }]))).toBe('bad_edit')
  expect(codeOf(() => applyEdits('abc', [{ ...one, end: 9 }]))).toBe('bad_edit')
})

describe('whatever the documents are', () => {
  it('ticking changes one character, and clearing it gives back every byte', () => {
    fc.assert(
      fc.property(anyText, text => {
        const before = file('tasks.md', 'tasks', text)
        for (const { id, box } of before.outline.tasks) {
          const ways = codeOf(() => tick([before], id, true))
          if (ways === 'ambiguous_id') continue
          const ticked = applyEdits(text, tick([before], id, true).edits)
          const after = file('tasks.md', 'tasks', ticked)
          expect(after.outline.tasks.map(task => [task.id, task.box.isTicked])).toEqual(
            before.outline.tasks.map(task => [task.id, task.box.isTicked || task.id === id]),
          )
          if (!box.isTicked) expect(applyEdits(ticked, tick([after], id, false).edits)).toBe(text)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('an id that was renamed stands nowhere any more, and renaming it back gives back every byte', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom('T001', 'T002', 'US1', 'FR-001', 'SC-001', 'CHK001'), (text, id) => {
        const to = id.replace(/\d+$/, '777')
        const before = file('tasks.md', 'tasks', text)
        fc.pre(placesOf([before], id).length > 0)
        const [change] = rename([before], id, to)
        const renamed = applyEdits(text, change?.edits ?? [])
        const after = file('tasks.md', 'tasks', renamed)
        expect(placesOf([after], id)).toEqual([])
        expect(placesOf([after], to)).toHaveLength(placesOf([before], id).length)
        const [back] = rename([after], to, id)
        expect(applyEdits(renamed, back?.edits ?? [])).toBe(text)
      }),
      { numRuns: 1000 },
    )
  })

  it('analysis and fixes take any of them', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (spec, tasks, checks) => {
        const files = [
          file('spec.md', 'spec', spec),
          file('tasks.md', 'tasks', tasks),
          file('checklists/c.md', 'checklist', checks),
        ]
        const feature = createFeature(files)
        for (const problem of problemsOf(feature, () => false)) {
          const found = files.find(({ path }) => path === problem.path)
          const { text = '' } = found?.document.lines[problem.line] ?? {}
          expect(0 <= problem.start && problem.start <= problem.end && problem.end <= text.length).toBe(true)
          for (const { path, edits } of fixesFor(feature, problem)) {
            const source = files.find(one => one.path === path)
            applyEdits(source ? print(source.document) : '', edits)
          }
        }
      }),
      { numRuns: 1000 },
    )
  })
})
