/** Changes of documents as edits that keep every byte they do not change. Pure. */
export * from './base.ts'
export { fixesFor } from './fixes.ts'
export { rename } from './rename.ts'
export { replaceText } from './replace.ts'
export { tick } from './tick.ts'
