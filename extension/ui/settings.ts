import * as vscode from 'vscode'
import type { SettingName, SettingValue } from '../manifest/settings.ts'

/** The one reader of settings. @param scope the file or folder it is for */
export function setting<Name extends SettingName>(name: Name, scope?: vscode.Uri): SettingValue<Name> {
  const value = vscode.workspace.getConfiguration(undefined, scope).get<SettingValue<Name>>(name)
  if (value === undefined) throw new Error(`Setting ${name} is not contributed`)
  return value
}

export function onSetting(names: readonly SettingName[], run: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration(change => {
    if (names.some(name => change.affectsConfiguration(name))) run()
  })
}
