import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { VERSION } from '#server/lib/version.ts'
import { ERRORS, operations } from '#shared/contract/index.ts'
import { errorsOf, openApiDocument, openApiText } from './openapi.ts'

type Json = { [key: string]: Json }
const document = openApiDocument(operations, '1.2.3') as unknown as Json
const at = (pointer: string): Json | undefined =>
  pointer
    .slice(2)
    .split('/')
    .reduce<Json | undefined>((node, key) => node?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], document)

test('docs/openapi.json is what the table of operations gives; `npm run generate` writes it', async () => {
  const written = await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8')
  expect(written === openApiText(operations, VERSION), 'docs/openapi.json is stale: run `npm run generate`').toBe(true)
})

test('every operation is there with its statuses, errors and security', () => {
  for (const [name, operation] of Object.entries(operations)) {
    const described = at(
      `#/paths/${operation.path.replaceAll(/:(\w+)/g, '{$1}').replaceAll('/', '~1')}/${operation.method.toLowerCase()}`,
    )
    expect(described, name).toMatchObject({ operationId: name, summary: operation.summary })
    const statuses = [...operation.status, ...errorsOf(operation).map(code => ERRORS[code].status)].map(String)
    expect(Object.keys(described?.responses ?? {}).toSorted()).toEqual([...new Set(statuses)].toSorted())
    expect(described?.security).toEqual(operation.access === 'open' ? [] : undefined)
  }
})

test('every reference leads somewhere', () => {
  const refs = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)
  for (const [, ref = ''] of refs) expect(at(ref), ref).toBeDefined()
})

test('a noun whose sides differ is there twice: what may be sent, and what comes back', () => {
  expect(at('#/components/schemas/JobSpecInput')?.required).toBeUndefined()
  expect(at('#/components/schemas/JobSpec')?.required).toContain('task')
  expect(at('#/components/schemas/Job/properties/spec')).toEqual({ $ref: '#/components/schemas/JobSpec' })
  expect(at('#/components/schemas/JobStateInput')).toBeUndefined()
})

test('the fields of a body are never named like the other parts, so that a pointer says where it points', () => {
  for (const operation of Object.values(operations)) {
    const fields = 'body' in operation && 'shape' in operation.body ? Object.keys(operation.body.shape) : []
    expect(fields).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(query|headers|params)$/)]))
  }
})
