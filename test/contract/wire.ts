import * as z from 'zod'
import { type Operation, operations } from '#shared/contract/index.ts'
import { sinceOf, unwrapped } from '#shared/model/index.ts'

/** A place in what nodes say to each other: a field, an item, a kind of a union, or a value with its limits. */
export interface WirePlace {
  readonly path: string
  /** The first protocol that has it. */
  readonly since: number
  /** A field that older nodes do not send, and without which their message is not understood. */
  readonly isMissed: boolean
}

/** Everything that nodes say to each other, by operation. */
export function wirePlaces(table: Readonly<Record<string, Operation>> = operations): WirePlace[] {
  return Object.entries(table)
    .filter(([, { path }]) => path.startsWith('/v1/peer/'))
    .flatMap(([name, { query, body, answer, since = 1 }]) => [
      ...(query ? places(query, `${name} query`, since) : []),
      ...(body ? places(body, `${name} body`, since) : []),
      ...('schema' in answer ? places(answer.schema, `${name} answer`, since) : []),
    ])
}

function places(schema: z.ZodType, path: string, parent: number): WirePlace[] {
  const since = Math.max(parent, sinceOf(schema))
  const inner = unwrapped(schema)
  const place = (at: string): WirePlace => ({ path: at, since, isMissed: false })
  if (inner instanceof z.ZodObject) {
    const fields = Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([name, field]) => {
      const [first, ...rest] = places(field, `${path}.${name}`, since)
      const isMissed = sinceOf(field) > since && !field.safeParse(undefined).success
      return first ? [{ ...first, isMissed }, ...rest] : []
    })
    return [place(path), ...fields]
  }
  if (inner instanceof z.ZodArray)
    return [place(`${path} ${limits(schema)}`), ...places(inner.element as z.ZodType, `${path}[]`, since)]
  if (inner instanceof z.ZodRecord) return [place(path), ...places(inner.valueType as z.ZodType, `${path}{}`, since)]
  if (inner instanceof z.ZodUnion) {
    const [first, ...later] = inner.options as readonly z.ZodType[]
    // A value that a later protocol widened: what was there is where it was.
    if (first && !(unwrapped(first) instanceof z.ZodObject) && later.every(option => sinceOf(option) > since))
      return [...places(first, path, since), ...later.flatMap((option, index) => places(option, `${path}<${index + 1}>`, since))]
    return (inner.options as readonly z.ZodType[]).flatMap((option, index) =>
      places(option, `${path}<${nameOf(option, index)}>`, since),
    )
  }
  return [place(`${path} ${limits(schema)}`)]
}

/** The literals that tell one kind of a union from the others. */
function nameOf(option: z.ZodType, index: number): string {
  const inner = unwrapped(option)
  if (!(inner instanceof z.ZodObject)) return String(index)
  const literals = Object.values(inner.shape as Record<string, z.ZodType>).flatMap(field =>
    field instanceof z.ZodLiteral ? [...field.values].map(String) : [],
  )
  return literals.join(' ') || String(index)
}

/** What a value may be, as JSON Schema says it; of a list without what its items may be. */
function limits(schema: z.ZodType): string {
  const said = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override: ({ jsonSchema }) => strip(jsonSchema) })
  const { $schema: _, $defs, $ref, items: __, ...rest } = said as Record<string, unknown>
  const named = typeof $ref === 'string' ? ($defs as Record<string, object>)[$ref.split('/').at(-1) ?? ''] : {}
  return JSON.stringify({ ...rest, ...named })
}

function strip(said: Record<string, unknown>): void {
  for (const key of ['description', 'id', 'title', 'default']) delete said[key]
}
