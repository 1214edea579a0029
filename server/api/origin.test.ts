import { describe, expect, test } from 'vitest'
import { corsHeaders, originRules } from './origin.ts'

const rules = (config: Partial<Parameters<typeof originRules>[0]> = {}) =>
  originRules({ host: '127.0.0.1', allowedHosts: [], corsAllowedOrigins: [], ...config })

describe('Host', () => {
  test.each([
    'localhost',
    'localhost:8080',
    'LOCALHOST:1',
    'localhost.',
    'skein.localhost:8080',
    '127.0.0.1',
    '127.9.9.9:80',
    '[::1]:8080',
    '[::1]',
  ])('%s is this node', host => expect(rules().host(host)).toBe(true))

  test.each([
    undefined,
    '',
    ':8080',
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil-localhost',
    'localhost@evil.example',
    '127.0.0.1:80:80',
    '0.0.0.0',
    '[::1',
    '192.168.0.7',
    '[fe80::1]',
    'localhost evil.example',
  ])('%j is not', host => expect(rules().host(host)).toBe(false))

  test('configured names and the address listened on count, wildcards do not', () => {
    const own = rules({ host: '192.168.0.7', allowedHosts: ['Desk.tailnet.ts.net', 'fd7a::1'] })
    expect(own.host('192.168.0.7:8080')).toBe(true)
    expect(own.host('desk.tailnet.ts.net:8080')).toBe(true)
    expect(own.host('[fd7a::1]:8080')).toBe(true)
    expect(own.host('other.tailnet.ts.net')).toBe(false)
    expect(rules({ host: '0.0.0.0' }).host('0.0.0.0')).toBe(false)
  })
})

describe('Origin', () => {
  const listed = rules({ corsAllowedOrigins: ['https://app.example/', 'vscode-webview://abc'] })

  test.each(['https://app.example', 'vscode-webview://abc', 'http://localhost:8080', 'https://localhost:8080'])(
    '%s may call',
    origin => expect(listed.origin(origin, 'localhost:8080')).toBe(true),
  )

  test.each([
    'https://evil.example',
    'https://app.example.evil',
    'http://app.example',
    'https://app.example:444',
    'null',
    '',
    'http://localhost:9090',
    'http://127.0.0.1:8080',
  ])('%j may not', origin => expect(listed.origin(origin, 'localhost:8080')).toBe(false))

  test('a page on a name that is not ours is not same-origin', () =>
    expect(listed.origin('http://evil.example:8080', 'evil.example:8080')).toBe(false))

  test('a star lets every page call, and still names the page and never allows credentials', () => {
    expect(rules({ corsAllowedOrigins: ['*'] }).origin('https://any.example', 'localhost')).toBe(true)
    const headers = corsHeaders('https://any.example')
    expect(headers['access-control-allow-origin']).toBe('https://any.example')
    expect(Object.keys(headers)).not.toContain('access-control-allow-credentials')
  })
})
