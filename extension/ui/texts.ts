import * as vscode from 'vscode'
import type { Translate } from '../rows/row.ts'

/** The text in the language of the editor. */
export const t: Translate = (message, ...values) => vscode.l10n.t(message, ...values)
