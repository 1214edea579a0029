import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ApplyWorkspaceEditParams } from 'vscode-languageclient/node'
import { plain } from '#test/fakes/editor-jobs.ts'
import { takeProposal, withEdits } from './proposals.ts'

const TASKS = 'file:///src/app/specs/001-login/tasks.md'
const BOX = { range: { start: { line: 1, character: 3 }, end: { line: 1, character: 4 } }, newText: 'x', annotationId: 'skein' }

const proposal = (version: number | null): ApplyWorkspaceEditParams => ({
  label: 'T001 is done',
  edit: {
    documentChanges: [{ textDocument: { uri: TASKS, version }, edits: [BOX] }],
    changeAnnotations: { skein: { label: 'T001 is done', needsConfirmation: true } },
  },
})

function editor({ isDirty = false, isTrusted = true } = {}) {
  const document = {
    version: 1,
    isDirty,
    text: '# Tasks\n- [ ] T001 do it\n',
    saved: 0,
    getText: () => document.text,
    async save() {
      document.saved += 1
      return true
    },
    edit(text: string) {
      document.text = text
      document.version += 1
    },
  }
  const shown: ApplyWorkspaceEditParams[] = []
  const host = { isTrusted: () => isTrusted, open: async () => document, t: plain }
  const take = (version: number | null, answer: () => boolean) =>
    takeProposal(
      proposal(version),
      async params => {
        shown.push(params)
        return { applied: answer() }
      },
      host,
    )
  const confirm = () => {
    document.edit(withEdits(document.text, [BOX]))
    return true
  }
  return { document, shown, take, confirm }
}

it('shows a change as it was proposed, and saves what was taken', async () => {
  const { document, shown, take, confirm } = editor()
  expect(await take(null, confirm)).toEqual({ applied: true })
  expect(shown).toEqual([proposal(null)])
  expect(document).toMatchObject({ text: '# Tasks\n- [x] T001 do it\n', saved: 1 })
})

it('leaves a document unsaved that was so before', async () => {
  const { document, take, confirm } = editor({ isDirty: true })
  expect(await take(1, confirm)).toEqual({ applied: true })
  expect(document.saved).toBe(0)
})

it('shows nothing that was made for another text than the editor has', async () => {
  const { shown, take, document } = editor()
  document.edit('# Other\n')
  const answer = await take(1, () => true)
  expect(answer).toEqual({ applied: false, failureReason: expect.stringContaining('was changed in the editor meanwhile') })
  expect(shown).toEqual([])
})

it('says why a change was not taken: the person, the text that moved meanwhile, or a part alone', async () => {
  const refused = editor()
  expect(await refused.take(1, () => false)).toEqual({
    applied: false,
    failureReason: expect.stringContaining('did not take it'),
  })
  const moved = editor()
  const typing = () => {
    moved.document.edit('# Tasks\n\n- [ ] T001 do it\n')
    return false
  }
  expect(await moved.take(1, typing)).toEqual({ applied: false, failureReason: expect.stringContaining('changed in the editor') })
  const partly = editor()
  expect(await partly.take(1, () => true)).toEqual({ applied: false, failureReason: expect.stringContaining('a part of it') })
})

it('writes nothing in a workspace that is not trusted', async () => {
  const { shown, take } = editor({ isTrusted: false })
  expect(await take(1, () => true)).toEqual({ applied: false, failureReason: expect.stringContaining('not trusted') })
  expect(shown).toEqual([])
})

it('answers when the editor fails', async () => {
  const { take } = editor()
  const fail = () => {
    throw new Error('no such file')
  }
  expect(await take(1, fail)).toEqual({ applied: false, failureReason: expect.stringContaining('no such file') })
})

it('puts edits where their lines are, whatever ends the lines', () => {
  const anyLine = fc.stringMatching(/^[^\r\n]{0,12}$/)
  const anyEnd = fc.constantFrom('\n', '\r\n')
  const anyText = fc.array(fc.tuple(anyLine, anyEnd), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(anyText, fc.nat(), fc.string(), (lines, number, newText) => {
      const at = number % lines.length
      const whole = lines.map(([text, end], line) => (line === at ? newText : text) + end).join('')
      const [text = ''] = lines[at] ?? []
      const range = { start: { line: at, character: 0 }, end: { line: at, character: text.length } }
      expect(withEdits(lines.flat().join(''), [{ range, newText }])).toBe(whole)
    }),
  )
})
