import * as z from 'zod'

export type JsonSchema = Record<string, unknown>

const POINTER = '#/components/schemas/'
type Side = 'input' | 'output'

/** Collects named schemas (`.meta({ id })`) while a document is written, and puts them under `components` at its end. */
export interface Components {
  /** What a caller may send: fields with defaults may be left out. */
  input(schema: z.ZodType): JsonSchema
  /** What an answer holds. */
  output(schema: z.ZodType): JsonSchema
  /** The document with every reference in its final form. A noun whose two sides differ is there twice: `Job` and `JobInput`. */
  resolve(document: JsonSchema): JsonSchema
}

export function createComponents(): Components {
  const named: Record<Side, Map<string, JsonSchema>> = { input: new Map(), output: new Map() }

  const generate = (schema: z.ZodType, side: Side): JsonSchema => {
    // Wrapped, because a schema with an id becomes a reference everywhere but at the root.
    const { items, $defs = {} } = z.toJSONSchema(z.array(schema), { io: side, unrepresentable: 'any' }) as {
      items: JsonSchema
      $defs?: Record<string, JsonSchema>
    }
    for (const [id, definition] of Object.entries($defs)) named[side].set(id, mark(definition, side))
    return mark(items, side)
  }

  return {
    input: schema => generate(schema, 'input'),
    output: schema => generate(schema, 'output'),
    resolve(document) {
      const twofold = differing(named)
      const nameOf = (side: Side, id: string) => (side === 'input' && twofold.has(id) ? `${id}Input` : id)
      const schemas: JsonSchema = {}
      for (const side of ['output', 'input'] as const)
        for (const [id, definition] of named[side]) schemas[nameOf(side, id)] = definition
      const components = { ...(document.components as JsonSchema), schemas: sorted(schemas) }
      return rewrite({ ...document, components }, marked => {
        const [side, id] = marked.split(':') as [Side, string]
        return POINTER + nameOf(side, id)
      })
    },
  }
}

/** Ids whose sides differ, directly or by something they refer to. */
function differing(named: Record<Side, Map<string, JsonSchema>>): Set<string> {
  const found = new Set<string>()
  const both = [...named.input.keys()].filter(id => named.output.has(id))
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const id of both) {
      const form = (side: Side) =>
        JSON.stringify(
          rewrite(named[side].get(id) ?? {}, marked =>
            found.has(marked.split(':')[1] ?? '') ? marked : (marked.split(':')[1] ?? ''),
          ),
        )
      if (form('input') !== form('output')) found.add(id)
    }
  }
  return found
}

/** Notes in every reference which side it was made for. */
const mark = (schema: JsonSchema, side: Side): JsonSchema => rewrite(schema, ref => `${side}:${ref.replace('#/$defs/', '')}`)

/** A copy with every `$ref` replaced. */
function rewrite(schema: JsonSchema, change: (ref: string) => string): JsonSchema {
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        key === '$ref' && typeof inner === 'string' ? change(inner) : copy(inner),
      ]),
    )
  }
  return copy(schema) as JsonSchema
}

const sorted = (schemas: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)))
