/** What a page and whoever shows it agree on: their messages, the document of a page, and what a page keeps. No schema, no I/O. */
export * from './document.ts'
export * from './messages.ts'
export * from './route.ts'
