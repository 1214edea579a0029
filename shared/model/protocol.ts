import * as z from 'zod'

/** Protocols a node speaks, both ends included; two nodes use the highest both know. */
export const ProtocolRange = z.strictObject({ min: z.int().min(1), max: z.int().min(1) }).meta({ id: 'ProtocolRange' })
export type ProtocolRange = z.infer<typeof ProtocolRange>
export const PROTOCOL: ProtocolRange = { min: 1, max: 7 }

/** The highest protocol that both speak; null when there is none. */
export function commonProtocol(one: ProtocolRange, other: ProtocolRange): number | null {
  const highest = Math.min(one.max, other.max)
  return highest >= Math.max(one.min, other.min) ? highest : null
}

/** What nodes of an older protocol do not know. In a registry of its own, so that it is not in the published schemas. */
const SINCE = z.registry<{ protocol: number }>()

/**
 * Marks a field of what nodes say to each other, or a kind of a union, with the first protocol that has it. It is left out towards
 * older nodes, which refuse what they do not know; so a field has to be optional or have a default. It is the last call on a schema:
 * any other makes a new one without the mark.
 */
export function since<T extends z.ZodType>(protocol: number, schema: T): T {
  SINCE.add(schema, { protocol })
  return schema
}

export const sinceOf = (schema: z.ZodType): number => SINCE.get(schema)?.protocol ?? 1

/** What is left of a value for a node that speaks an older protocol. @param schema that it fits */
export function downgrade(schema: z.ZodType, value: unknown, protocol: number): unknown {
  if (protocol >= PROTOCOL.max || value === null || value === undefined) return value
  const inner = unwrapped(schema)
  if (inner instanceof z.ZodObject && typeof value === 'object') {
    const fields = Object.entries(value).flatMap(([name, field]): [string, unknown][] => {
      const known = (inner.shape as Record<string, z.ZodType>)[name]
      if (!known) return [[name, field]]
      return sinceOf(known) > protocol ? [] : [[name, downgrade(known, field, protocol)]]
    })
    return Object.fromEntries(fields)
  }
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    const element = inner.element as z.ZodType
    return value.filter(item => isKnown(element, item, protocol)).map(item => downgrade(element, item, protocol))
  }
  if (inner instanceof z.ZodUnion) {
    const kind = kindOf(inner, value)
    return kind ? downgrade(kind, value, protocol) : value
  }
  return value
}

/** Whether an item of a list, or what it carries in a field of its own, is of a kind that protocol has. */
function isKnown(schema: z.ZodType, value: unknown, protocol: number): boolean {
  const inner = unwrapped(schema)
  if (inner instanceof z.ZodUnion) {
    const kind = kindOf(inner, value)
    return !kind || sinceOf(kind) <= protocol
  }
  if (!(inner instanceof z.ZodObject) || typeof value !== 'object' || value === null) return true
  return Object.entries(inner.shape as Record<string, z.ZodType>).every(
    ([name, field]) => sinceOf(field) > protocol || isKnown(field, (value as Record<string, unknown>)[name], protocol),
  )
}

const kindOf = (union: z.ZodUnion, value: unknown): z.ZodType | undefined =>
  (union.options as readonly z.ZodType[]).find(option => option.safeParse(value).success)

/** The schema inside what only says that a value may be missing. */
export function unwrapped(schema: z.ZodType): z.ZodType {
  const isWrapper =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly
  return isWrapper ? unwrapped(schema.unwrap() as z.ZodType) : schema
}

/** What a schema knows of a value: fields that a later protocol added are left out, and items of kinds that it added. */
export function knownPart(schema: z.ZodType, value: unknown): unknown {
  const inner = unwrapped(schema)
  if (inner instanceof z.ZodObject && typeof value === 'object' && value !== null) {
    const shape = inner.shape as Record<string, z.ZodType>
    const fields = Object.entries(value).flatMap(([name, field]) => (shape[name] ? [[name, knownPart(shape[name], field)]] : []))
    return Object.fromEntries(fields)
  }
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    const element = inner.element as z.ZodType
    return value.map(item => knownPart(element, item)).filter(item => element.safeParse(item).success)
  }
  return value
}
