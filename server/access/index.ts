/** Who may call, and which values must never leave this node. */
export type { LocalToken, Secrets } from './port.ts'
export { createSecrets } from './secrets.ts'
export { loadToken } from './token.ts'
