import type { Host } from './host.ts'

/** What a person had set in a page, by name; it survives a reload. A value that is not as it should be counts as not there. */
export function kept<T>(host: Host, name: string, fallback: T, isOne: (value: unknown) => value is T): T {
  const value = host.kept()[name]
  return isOne(value) ? value : fallback
}

export const keep = (host: Host, name: string, value: unknown): void => host.keep({ ...host.kept(), [name]: value })

export const isText = (value: unknown): value is string => typeof value === 'string'
export const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'
