/** The verbs of Skein: every operation, error and stream message once, and the typed client. */
export * from './client.ts'
export * from './errors.ts'
export * from './operation.ts'
export * from './operations.ts'
export { NodeInfo, NodeKeys } from './peer-operations.ts'
export * from './stream.ts'
