/** Documents of Spec Kit: read without loss, changed line by line. Pure. */
export * from './document.ts'
export { type IdKind, kindOfId, type Mention, writtenAs } from './ids.ts'
export { isLong, type Line, type Span } from './line.ts'
export * from './outline.ts'
export { type Place, placeOf } from './place.ts'
