import type { JobSummary } from '#shared/model/index.ts'

/**
 * The spec that a job is for: a feature of a work tree. No name of a feature has a slash in it, so that both are found again; the slash at
 * the end lets more stand behind it.
 */
export type SpecKey = `spec/${string}/`

/** Of jobs that are for no spec. */
export const NO_SPEC: SpecKey = 'spec///'

export const isSpecKey = (text: string): text is SpecKey => text.startsWith('spec/') && text.endsWith('/')

export const specKeyOf = ({ spec, repository }: Pick<JobSummary, 'spec' | 'repository'>): SpecKey =>
  spec === null ? NO_SPEC : `spec/${spec.feature}/${repository ?? ''}/`

/** What {@link specKeyOf} made a key of; empty where there is none. */
export interface SpecOfKey {
  readonly feature: string
  readonly repository: string
}
export function specOfKey(key: SpecKey): SpecOfKey {
  const [, feature = '', ...path] = key.slice(0, -1).split('/')
  return { feature, repository: path.join('/') }
}
