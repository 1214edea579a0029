/** Spec Kit's documents: what they say, what is wrong with them, and how to change them. */
export * from './analysis/index.ts'
export * from './edits/index.ts'
export { createSpecHandlers } from './handlers.ts'
export * from './language/index.ts'
export { createLinks } from './links.ts'
export { createOffers } from './offers.ts'
export { createSpecReader, rootOf } from './reader.ts'
export { createWordings } from './wordings.ts'
