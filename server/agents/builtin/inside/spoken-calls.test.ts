import { describe, expect, test } from 'vitest'
import { findSpokenCall } from './spoken-calls.ts'

const TOOLS = ['read', 'run']

describe('a call that is written out', () => {
  test.each([
    '{"name": "read", "arguments": {"path": "a"}}',
    '  {"name":"read","parameters":{"path":"a"}}\n',
    '```json\n{"name": "read", "arguments": {"path": "a"}}\n```',
    '```\n{"name": "read", "arguments": {"path": "a"}}\n```',
    '<tool_call>\n{"name": "read", "arguments": {"path": "a"}}\n</tool_call>',
  ])('is understood: %j', text => {
    expect(findSpokenCall(text, TOOLS)).toEqual({ id: expect.any(String), name: 'read', arguments: '{"path":"a"}' })
  })

  test.each([
    '',
    'Done.',
    '{"name": "rm", "arguments": {}}',
    '{"name": "read"}',
    '{"name": "read", "arguments": "a"}',
    'I use {"name": "read", "arguments": {}}',
    '[{"name": "read", "arguments": {}}]',
    '{"name": "toString", "arguments": {}}',
  ])('is not found where there is none: %j', text => {
    expect(findSpokenCall(text, TOOLS)).toBeNull()
  })
})
