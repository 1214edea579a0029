import { describe, expect, it } from 'vitest'
import type { WorkspaceEdit } from 'vscode-languageserver/node'
import { createFeature, hashOf, outline, parse } from '#server/specs/index.ts'
import type { SpecEvidence } from '#shared/model/index.ts'
import { propose } from './proposals.ts'
import type { WorkspaceDocument, WorkspaceFeature } from './workspace.ts'

const PATH = 'specs/001-a/tasks.md'
const TEXT = '- [ ] T001 x\n'

function featureOf(text: string, isText = true): WorkspaceFeature {
  const document = parse(text)
  const one: WorkspaceDocument = {
    ...{ path: PATH, kind: 'tasks', document, outline: outline(document, 'tasks') },
    ...{ uri: 'file:///r/tasks.md', version: 3, isText },
  }
  return { ...createFeature([one]), root: '/r', name: '001-a', documents: [one], linked: new Set() }
}

const EVIDENCE: SpecEvidence = {
  ...{ task: 'T001', jobId: 'a'.repeat(14), checks: { green: 1, all: 1 } },
  commands: [{ command: 'npm test', verdict: 'fixed' }],
}

/** Proposes a tick of T001. @returns what was answered, and what the person was shown and told */
async function tickedOn(feature: WorkspaceFeature | null, base: string, applied: boolean, start = 3) {
  const answers: unknown[] = []
  const shown: WorkspaceEdit[] = []
  const warned: string[] = []
  const documents = [{ path: PATH, sha256: hashOf(base), edits: [{ start, end: start + 1, text: 'x' }] }]
  await propose(
    '/r',
    { id: 7, repository: '/r', feature: '001-a', reason: 'It is \u001B[31mdone', documents, evidence: [EVIDENCE] },
    {
      feature: async () => feature,
      async apply(_, edit) {
        shown.push(edit)
        return { applied }
      },
      async answer(...answer) {
        answers.push(answer)
      },
      warn: message => void warned.push(message),
    },
  )
  return { answers, shown, warned }
}

describe('a proposed change', () => {
  it('is shown with what it is for, and answered by what the person does', async () => {
    const { answers, shown, warned } = await tickedOn(featureOf(TEXT), TEXT, true)
    const range = { start: { line: 0, character: 3 }, end: { line: 0, character: 4 } }
    expect(shown).toEqual([
      {
        documentChanges: [
          {
            textDocument: { uri: 'file:///r/tasks.md', version: 3 },
            edits: [{ range, newText: 'x', annotationId: 'skein' }],
          },
        ],
        changeAnnotations: {
          skein: {
            ...{ label: expect.stringMatching(/^It is .*done$/), needsConfirmation: true },
            description: 'T001: job aaaaaaaaaaaaaa, checks npm test (red before, green after)',
          },
        },
      },
    ])
    expect(JSON.stringify(shown)).not.toContain('\\u001b')
    expect([answers, warned]).toEqual([[[7, 'applied', null]], []])
    expect((await tickedOn(featureOf(TEXT), TEXT, false)).answers).toEqual([[7, 'refused', expect.any(String)]])
  })

  it('fits a file with a mark of byte order, which the editor does not show', async () => {
    const { shown } = await tickedOn(featureOf(TEXT), `\uFEFF${TEXT}`, true, 4)
    expect(shown[0]?.documentChanges).toMatchObject([{ edits: [{ range: { start: { character: 3 }, end: { character: 4 } } }] }])
  })

  it('for other content than the editor has is refused, and the person told', async () => {
    for (const feature of [featureOf(`${TEXT}more`), featureOf(TEXT, false), null]) {
      const { answers, shown, warned } = await tickedOn(feature, TEXT, true)
      expect(shown).toEqual([])
      expect(answers).toEqual([[7, 'refused', expect.any(String)]])
      expect(warned).toHaveLength(1)
    }
  })

  it('is answered though the editor, or the disk, fails', async () => {
    const offer = { id: 7, repository: '/r', feature: '001-a', reason: 'done', evidence: [] }
    const documents = [{ path: PATH, sha256: hashOf(TEXT), edits: [{ start: 3, end: 4, text: 'x' }] }]
    const fails = async () => Promise.reject(new Error('it went away'))
    const works = { feature: async () => featureOf(TEXT), apply: async () => ({ applied: true }), warn: () => {} }
    for (const broken of [{ apply: fails }, { feature: fails }]) {
      const answers: unknown[] = []
      const answer = async (...said: unknown[]) => void answers.push(said)
      await propose('/r', { ...offer, documents }, { ...works, ...broken, answer })
      expect(answers).toEqual([[7, 'refused', expect.stringContaining('it went away')]])
    }
  })
})
