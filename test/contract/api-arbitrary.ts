import fc, { type Arbitrary } from 'fast-check'
import * as z from 'zod'

type JsonSchema = {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: JsonSchema | boolean
  propertyNames?: JsonSchema
  items?: JsonSchema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  pattern?: string
  format?: string
}

/** Values a caller may send for a schema: drawn from its JSON Schema, then held to what JSON Schema cannot say. */
export function validInput(schema: z.ZodType): Arbitrary<unknown> {
  const { $defs = {}, ...root } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema & {
    $defs?: Record<string, JsonSchema>
  }
  return fromJsonSchema(root, $defs).filter(value => schema.safeParse(value).success)
}

/** One such value, always the same. */
export function sample(schema: z.ZodType): unknown {
  const known = samples.get(schema) ?? { value: fc.sample(validInput(schema), { numRuns: 1, seed: 7 })[0] }
  samples.set(schema, known)
  return structuredClone(known.value)
}
const samples = new WeakMap<z.ZodType, { value: unknown }>()

function fromJsonSchema(schema: JsonSchema, defs: Record<string, JsonSchema>): Arbitrary<unknown> {
  const inner = (part: JsonSchema) => fromJsonSchema(part, defs)
  if (schema.$ref) return inner(defs[schema.$ref.replace('#/$defs/', '')] ?? {})
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const forms = schema.anyOf ?? schema.oneOf
  if (forms) return fc.oneof(...forms.map(inner))
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map(type => inner({ ...schema, type })))
  switch (schema.type ?? 'any') {
    case 'string':
      return text(schema)
    case 'integer':
      return fc.maxSafeInteger().map(value => within(value, schema))
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true, min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9 })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(inner(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, 4),
      })
    case 'object':
      return object(schema, inner)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function object(schema: JsonSchema, inner: (part: JsonSchema) => Arbitrary<unknown>): Arbitrary<unknown> {
  if (schema.propertyNames || (!schema.properties && typeof schema.additionalProperties === 'object')) {
    const values = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {}
    const names = inner(schema.propertyNames ?? { type: 'string' }).filter(name => name !== '__proto__') as Arbitrary<string>
    return fc.dictionary(names, inner(values), { maxKeys: 3, noNullPrototype: true })
  }
  const fields = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, field]) => [name, inner(field)]))
  return fc.record(fields, { requiredKeys: schema.required ?? [], noNullPrototype: true })
}

function text({ format, pattern, minLength = 0, maxLength = pattern === undefined ? 40 : 1000 }: JsonSchema): Arbitrary<string> {
  if (format === 'date-time')
    return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map(date => date.toISOString())
  if (format === 'uri') return fc.webUrl({ validSchemes: ['http', 'https'] })
  const fits = (value: string) => value.length >= minLength && value.length <= maxLength
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern)).filter(fits)
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)) }).filter(fits)
}

/** Folds an integer into the bounds of a schema, keeping small ones and the bounds themselves likely. */
function within(value: number, { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER }: JsonSchema): number {
  if (value >= minimum && value <= maximum) return value
  return minimum + (Math.abs(value) % Math.min(maximum - minimum + 1, Number.MAX_SAFE_INTEGER))
}
