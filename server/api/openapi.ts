import type * as z from 'zod'
import { ERRORS, type ErrorCode, type Operation, Problem } from '#shared/contract/index.ts'
import { createComponents, type JsonSchema } from './schemas.ts'

/** Errors any operation may answer with, whatever it does. */
const GENERAL: readonly ErrorCode[] = ['forbidden', 'too_many_requests', 'not_ready', 'internal']

const BEARER = { token: [] }

/** This API as an OpenAPI 3.1 document. Pure: the same table gives the same bytes. */
export function openApiDocument(
  operations: Readonly<Record<string, Operation>>,
  version: string,
): { openapi: string } & JsonSchema {
  const components = createComponents()
  const problem = components.output(Problem)
  const paths: Record<string, JsonSchema> = {}
  for (const [name, operation] of Object.entries(operations)) {
    const path = operation.path.replaceAll(/:(\w+)/g, '{$1}')
    const description = describe(name, operation, components, problem)
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: description }
  }
  return components.resolve({
    openapi: '3.1.1',
    info: {
      title: 'Skein',
      version,
      summary: 'make -j for coding agents, over your own machines',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://127.0.0.1:8080' }],
    security: [BEARER],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The token in the file `token` of the data directory.' },
      },
    },
  }) as { openapi: string } & JsonSchema
}

/** The document as docs/openapi.json holds it. */
export const openApiText = (operations: Readonly<Record<string, Operation>>, version: string): string =>
  `${JSON.stringify(openApiDocument(operations, version), null, 2)}\n`

type Components = ReturnType<typeof createComponents>

function describe(name: string, operation: Operation, components: Components, problem: JsonSchema): JsonSchema {
  return {
    operationId: name,
    summary: operation.summary,
    ...(operation.access === 'open' ? { security: [] } : {}),
    parameters: [
      ...parameters('path', operation.params, components),
      ...parameters('query', operation.query, components),
      ...parameters('header', operation.headers, components),
    ],
    ...(operation.body
      ? { requestBody: { required: true, content: { 'application/json': { schema: components.input(operation.body) } } } }
      : {}),
    responses: { ...successes(operation, components), ...failures(operation, problem) },
  }
}

function parameters(where: 'path' | 'query' | 'header', schema: z.ZodObject | undefined, components: Components): JsonSchema[] {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => {
    const type = field as z.ZodType
    const { description, ...rest } = components.input(type)
    return {
      name,
      in: where,
      required: !type.safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

function successes(operation: Operation, components: Components): JsonSchema {
  const { answer } = operation
  const content: JsonSchema = {}
  if (answer.kind === 'bytes') content[answer.mediaType] = {}
  if (answer.kind === 'openai')
    Object.assign(content, {
      'application/json': { schema: { type: 'object' } },
      'text/event-stream': { schema: { type: 'string' } },
    })
  if (answer.kind === 'json' || answer.kind === 'events')
    content['application/json'] = { schema: components.output(answer.schema) }
  if (answer.kind === 'events')
    content['text/event-stream'] = { schema: { type: 'string', contentSchema: components.output(answer.item) } }
  return Object.fromEntries(operation.status.map(status => [status, { description: SUCCESS[status] ?? 'Done', content }]))
}

const SUCCESS: Readonly<Record<number, string>> = { 200: 'Done', 202: 'Accepted' }

/** The codes an operation may fail with: its own, and what its shape makes possible. */
export function errorsOf(operation: Operation): ErrorCode[] {
  const codes = new Set<ErrorCode>([...operation.errors, ...GENERAL])
  if (operation.access !== 'open') codes.add('unauthorized')
  if (operation.params) codes.add('not_found')
  if (operation.body) for (const code of ['malformed_body', 'body_too_large', 'unsupported_media_type'] as const) codes.add(code)
  codes.add('invalid_request')
  return [...codes]
}

function failures(operation: Operation, problem: JsonSchema): JsonSchema {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of errorsOf(operation)) byStatus.set(ERRORS[code].status, [...(byStatus.get(ERRORS[code].status) ?? []), code])
  const responses = [...byStatus].toSorted(([a], [b]) => a - b)
  return Object.fromEntries(
    responses.map(([status, codes]) => [
      status,
      {
        description: codes.map(code => `\`${code}\`: ${ERRORS[code].title}`).join('; '),
        ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
        content: { 'application/problem+json': { schema: problem } },
      },
    ]),
  )
}

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } }
