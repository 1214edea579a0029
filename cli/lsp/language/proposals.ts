import type { ApplyWorkspaceEditResult, WorkspaceEdit } from 'vscode-languageserver/node'
import { hashOf, print, type TextEdit } from '#server/specs/index.ts'
import { checksText, type SpecOffer, sanitizeLine } from '#shared/model/index.ts'
import { editOf } from './navigation.ts'
import type { WorkspaceDocument, WorkspaceFeature } from './workspace.ts'

const ANNOTATION = 'skein'
const MARK = '\uFEFF'

export interface ProposalDeps {
  feature(root: string, name: string): Promise<WorkspaceFeature | null>
  /** Shows an edit to the person, who takes it or not. */
  apply(label: string, edit: WorkspaceEdit): Promise<ApplyWorkspaceEditResult>
  /** Tells whoever proposed it. */
  answer(offer: number, outcome: 'applied' | 'refused', detail: string | null): Promise<void>
  /** Tells the person. */
  warn(message: string): void
}

/** Brings a change that somebody proposed to the person at the editor, if it is for what is in the editor now. */
export async function propose(root: string, offer: SpecOffer, deps: ProposalDeps): Promise<void> {
  const reason = sanitizeLine(offer.reason)
  const made = await deps.feature(root, offer.feature).then(
    feature => (feature ? editFor(feature, offer, reason) : `${offer.feature} is gone.`),
    cause => `${offer.feature} could not be read: ${messageOf(cause)}`,
  )
  if (typeof made === 'string') {
    deps.warn(unlinked(`A change of ${sanitizeLine(offer.feature)} was not made (${reason}): ${made}`))
    return deps.answer(offer.id, 'refused', made)
  }
  // Whoever proposed it waits for an answer, whatever becomes of the request to the editor.
  const { applied, failureReason } = await deps
    .apply(reason, made)
    .catch(cause => ({ applied: false, failureReason: `The editor did not take it: ${messageOf(cause)}` }))
  if (applied) return deps.answer(offer.id, 'applied', null)
  return deps.answer(offer.id, 'refused', failureReason ?? 'The person at the editor did not take it.')
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** VS Code makes links of `[text](command:…)` in a notification, which would run it: somebody else's brackets come apart. */
const unlinked = (text: string): string => text.replaceAll('](', '] (')

/** @returns why not, when it is for other content than the editor has */
function editFor(feature: WorkspaceFeature, { documents, evidence }: SpecOffer, label: string): WorkspaceEdit | string {
  const documentChanges = []
  for (const { path, sha256, edits } of documents) {
    const document = feature.documents.find(one => one.path === path)
    const fitting = document && fittingEdits(document, sha256, edits)
    if (!fitting || !document.isText)
      return `${path} is not in the editor as it was when the change was made for it. Save it, read it again, and make the change anew.`
    const change = editOf(feature, { path, edits: fitting })
    documentChanges.push({ ...change, edits: change.edits.map(edit => ({ ...edit, annotationId: ANNOTATION })) })
  }
  const description = evidence.map(one => `${one.task}: job ${one.jobId}, checks ${checksText(one)}`).join('; ')
  const annotation = { label, needsConfirmation: true, ...(description === '' ? {} : { description: sanitizeLine(description) }) }
  return { documentChanges, changeAnnotations: { [ANNOTATION]: annotation } }
}

/** The edits for a document as the editor has it, or null when it has another. */
function fittingEdits({ document }: WorkspaceDocument, sha256: string, edits: readonly TextEdit[]): readonly TextEdit[] | null {
  const text = print(document)
  if (hashOf(text) === sha256) return edits
  if (hashOf(MARK + text) !== sha256) return null
  // The file begins with a mark of byte order, which editors keep out of the text.
  return edits.map(({ start, end, text: added }) => ({ start: Math.max(0, start - 1), end: Math.max(0, end - 1), text: added }))
}
