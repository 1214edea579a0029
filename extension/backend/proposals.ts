import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult, TextEdit } from 'vscode-languageclient/node'
import type { Translate } from '../rows/row.ts'

/** A document in the editor, as far as a proposal is concerned; `vscode.TextDocument` fits. */
export interface EditedDocument {
  readonly version: number
  readonly isDirty: boolean
  getText(): string
  save(): PromiseLike<boolean>
}
export interface ProposalHost {
  /** What is not trusted is looked at, and not written. */
  isTrusted(): boolean
  /** Has the editor know a document, without showing it. */
  open(uri: string): PromiseLike<EditedDocument>
  readonly t: Translate
}

/**
 * Takes a change of the specs that somebody proposed: it is shown, and what the person took is saved where nothing unsaved was mixed in. The
 * answer goes to whoever proposed it, and says why not.
 * @param show has the editor show the edit and apply what of it is confirmed
 */
export async function takeProposal(
  params: ApplyWorkspaceEditParams,
  show: (params: ApplyWorkspaceEditParams) => PromiseLike<ApplyWorkspaceEditResult>,
  { isTrusted, open, t }: ProposalHost,
): Promise<ApplyWorkspaceEditResult> {
  const refused = (failureReason: string): ApplyWorkspaceEditResult => ({ applied: false, failureReason })
  if (!isTrusted()) return refused(t('The workspace at the editor is not trusted: nothing is written there.'))
  try {
    const documents = await Promise.all(
      textChanges(params).map(async ({ uri, version: meant, edits }) => {
        const document = await open(uri)
        const { version, isDirty } = document
        const isMoved = meant !== null && meant !== version
        return { uri, document, version, isDirty, isMoved, expected: isMoved ? null : withEdits(document.getText(), edits) }
      }),
    )
    const moved = (uri: string) => t('{0} was changed in the editor meanwhile. Read it again, and make the change anew.', uri)
    const early = documents.find(({ isMoved }) => isMoved)
    if (early) return refused(moved(early.uri))
    const { applied } = await show(params)
    if (!applied) {
      const late = documents.find(({ document, version }) => document.version !== version)
      return refused(late ? moved(late.uri) : t('The person at the editor did not take it.'))
    }
    const isWhole = documents.every(({ document, expected }) => document.getText() === expected)
    // What was unsaved before is the person's to save.
    await Promise.all(documents.filter(({ isDirty }) => !isDirty).map(({ document }) => document.save()))
    return isWhole ? { applied } : refused(t('The person at the editor took a part of it only.'))
  } catch (error) {
    return refused(t('The editor could not take it: {0}', error instanceof Error ? error.message : String(error)))
  }
}

function textChanges({ edit }: ApplyWorkspaceEditParams): { uri: string; version: number | null; edits: TextEdit[] }[] {
  return (edit.documentChanges ?? []).flatMap(change =>
    'textDocument' in change
      ? {
          uri: change.textDocument.uri,
          version: change.textDocument.version,
          edits: change.edits.filter(one => 'newText' in one),
        }
      : [],
  )
}

/** A text after edits that do not overlap. */
export function withEdits(text: string, edits: readonly TextEdit[]): string {
  const starts = [0]
  for (const { index, 0: end } of text.matchAll(/\r\n|\n|\r/g)) starts.push(index + end.length)
  const offset = ({ line, character }: { line: number; character: number }) => (starts[line] ?? text.length) + character
  return edits
    .map(({ range, newText }) => ({ start: offset(range.start), end: offset(range.end), newText }))
    .sort((one, other) => other.start - one.start)
    .reduce((whole, { start, end, newText }) => whole.slice(0, start) + newText + whole.slice(end), text)
}
