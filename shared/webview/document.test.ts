import { expect, it } from 'vitest'
import { pageDocument, pagePolicy } from './document.ts'

const options = {
  nonce: 'c2l4dGVlbiBieXRlcyEh',
  script: '/assets/main-1.js?a&b',
  style: '/assets/main-1.css',
  language: 'en',
  title: '</title><script>alert(1)</script>',
  source: "'self'",
  connects: true,
}

it('lets nothing run but scripts with the nonce of this document', () => {
  const policy = pagePolicy(options)
  expect(policy).toContain("default-src 'none'; script-src 'nonce-c2l4dGVlbiBieXRlcyEh';")
  expect(policy).not.toContain('unsafe')
})

it('connects to nothing where messages are the way', () => {
  expect(pagePolicy({ ...options, connects: false })).not.toContain('connect-src')
})

it('writes what it is given as text', () => {
  const document = pageDocument(options)
  expect(document.match(/<script/g)).toHaveLength(1)
  expect(document).toContain('src="/assets/main-1.js?a&amp;b"')
})

it('refuses a nonce that would say something else', () => {
  for (const nonce of ['', 'short', `x" src="https://example.org/${'a'.repeat(20)}`])
    expect(() => pageDocument({ ...options, nonce })).toThrow('nonce')
})
