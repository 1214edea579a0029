import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PROTOCOL } from '#shared/model/index.ts'
import { wirePlaces } from './wire.ts'

/** What nodes of protocol 1 know, as their own schemas had it. It never changes. */
const first = new Set(
  JSON.parse(readFileSync(new URL('../fixtures/protocol/1.json', import.meta.url), 'utf8')) as readonly string[],
)
const places = wirePlaces()

test('what nodes say to each other is either of protocol 1 or says since which protocol it is: `since(N, schema)`', () => {
  const unmarked = places.filter(({ path, since }) => since === 1 && !first.has(path)).map(({ path }) => path)
  expect(unmarked).toEqual([])
})

test('nothing that nodes of protocol 1 say or expect has gone or changed', () => {
  const now = new Set(places.map(({ path }) => path))
  expect([...first].filter(path => !now.has(path))).toEqual([])
})

test('what is of a later protocol can be read from a node that does not send it', () => {
  expect(places.filter(({ isMissed }) => isMissed).map(({ path }) => path)).toEqual([])
  expect(places.filter(({ since }) => since > PROTOCOL.max).map(({ path }) => path)).toEqual([])
})
