/** What attempts that take about as long have in common. */
export interface JobClass {
  readonly agent: string
  readonly executor: string
  readonly model: string | null
  /** Name of the repository cache. */
  readonly repository: string | null
}

/** A class and the coarser ones it belongs to, as keys: what little is known of one is made up by the next. */
export function classKeys({ agent, executor, model, repository }: JobClass): readonly [string, ...string[]] {
  const key = (...parts: readonly (string | null)[]) => parts.map(part => part ?? '').join('\n')
  return [key(agent, executor, model, repository), key(agent, executor, model), key(agent, executor), '']
}
