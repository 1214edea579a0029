/** What the documents of a feature say together, and what is wrong with it. Pure. */
export * from './feature.ts'
export { type Problem, problemsOf } from './problems.ts'
