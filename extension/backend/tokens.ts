import * as vscode from 'vscode'
import { setting } from '../ui/settings.ts'

/** Tokens for `skein.server.address`, in the editor's secret storage: one an address, so that none goes to another server. */
export interface Tokens extends vscode.Disposable {
  get(): Promise<string | undefined>
  /** @param token empty: it is forgotten */
  set(token: string): Promise<void>
  readonly onChange: vscode.Event<void>
}

export function createTokens(secrets: vscode.SecretStorage): Tokens {
  const changed = new vscode.EventEmitter<void>()
  const key = () => `skein.token ${setting('skein.server.address').trim()}`
  const listening = secrets.onDidChange(change => {
    if (change.key === key()) changed.fire()
  })
  return {
    async get() {
      return secrets.get(key())
    },
    async set(token) {
      if (token === '') await secrets.delete(key())
      else await secrets.store(key(), token)
    },
    onChange: changed.event,
    dispose() {
      listening.dispose()
      changed.dispose()
    },
  }
}
