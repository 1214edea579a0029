import type { SpecTaskRef } from '#shared/model/index.ts'
import { rootOf, type SpecReader } from './reader.ts'
import { wordingOf } from './ticks.ts'

/**
 * What tasks ask for now, for jobs that are made for them.
 * @returns null when there is no such task in that work tree, or more than one, so that which is meant cannot be told
 */
export function createWordings(reader: Pick<SpecReader, 'read'>) {
  return async (repository: string, { feature: name, task: id }: SpecTaskRef): Promise<string | null> => {
    const root = await rootOf(repository)
    const feature = root === null ? null : await reader.read(root, name)
    const [task, another] = feature?.tasks.filter(one => one.id === id) ?? []
    const document = feature?.documents.find(({ path }) => path === task?.path)?.document
    return task && document && !another ? wordingOf(document, task) : null
  }
}
