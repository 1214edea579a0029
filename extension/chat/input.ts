import type { InputSchema } from '../manifest/tools.ts'

/**
 * Holds what a model gave against the schema of a tool: the editor does not.
 * @returns what is wrong with it, for the model to read; null when it fits
 */
export function wrongWith(schema: InputSchema, input: unknown): string | null {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return 'The input must be an object.'
  for (const key of Object.keys(input))
    if (!Object.hasOwn(schema.properties, key)) return `There is no input ${JSON.stringify(key.slice(0, 100))}.`
  const values: Readonly<Record<string, unknown>> = { ...input }
  for (const key of schema.required) if (values[key] === undefined) return `${key} is missing.`
  for (const [key, rule] of Object.entries(schema.properties)) {
    const value = values[key]
    if (value === undefined) continue
    if (rule.type === 'integer') {
      if (typeof value !== 'number' || !Number.isInteger(value)) return `${key} must be a whole number.`
      if (value < rule.minimum || value > rule.maximum) return `${key} must be from ${rule.minimum} to ${rule.maximum}.`
      continue
    }
    if (typeof value !== 'string') return `${key} must be a text.`
    if (value.length > rule.maxLength) return `${key} may have ${rule.maxLength} characters, and has ${value.length}.`
    if (value.trim().length < (rule.minLength ?? 0)) return `${key} must not be empty.`
    if (rule.pattern !== undefined && !new RegExp(rule.pattern, 'u').test(value)) return `${key} must look like ${rule.pattern}.`
  }
  return null
}
