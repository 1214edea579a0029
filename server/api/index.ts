/** The wires: REST and its OpenAPI document. Translates, authenticates, validates; decides nothing. */
export { createApi } from './api.ts'
export { loadPages } from './page-files.ts'
export type { Api } from './server.ts'
export { attachStream } from './stream.ts'
