import { describe, expect, test } from 'vitest'
import { apiKey } from './providers.ts'
import { secretValues } from './secret-values.ts'

const names = (env: Record<string, string>) => secretValues(env).map(({ name }) => name)

describe('secretValues', () => {
  test.each([
    'OPENAI_API_KEY',
    'GITHUB_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'PGPASSWORD',
    'MYSQL_PWD',
    'DB_PASSWD',
    'SECRET_KEY_BASE',
    'npm_config__authToken',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'APIKEY',
    'KEYS_PASSPHRASE',
    'DB_PASS',
    'GITHUB_PAT',
    'SMTP_PWD',
    'BASIC_AUTH',
    'SIGNING_PRIVATE',
    'JWT',
  ])('%s is a secret', name => {
    expect(names({ [name]: 'abcdefgh12' })).toEqual([name])
  })

  test.each([
    'PATH',
    'PWD',
    'OLDPWD',
    'HOME',
    'KEYBOARD_LAYOUT',
    'SSH_AUTH_SOCK',
    'TOKENIZER',
    'XDG_SESSION_ID',
    'BYPASS',
    'COMPAT',
    'LD_LIBRARY_PATH',
  ])('%s is none', name => {
    expect(names({ [name]: 'abcdefgh12' })).toEqual([])
  })

  test('what is shorter than eight characters would strike out ordinary words', () => {
    expect(names({ MY_TOKEN: 'yes', OTHER_TOKEN: ' 1234567 ' })).toEqual([])
  })

  test('a password inside a URL, as written and as meant', () => {
    expect(secretValues({ DATABASE_URL: 'postgres://me:hunter%2122@db.example/x' })).toEqual([
      { name: 'DATABASE_URL', value: 'hunter%2122' },
      { name: 'DATABASE_URL', value: 'hunter!22' },
    ])
    expect(secretValues({ A: 'redis://:12345678@h', B: 'https://h/a:b@c' })).toEqual([{ name: 'A', value: '12345678' }])
  })

  test('the key of a provider, whatever its variable is called', () => {
    const provider = { kind: 'openai-compatible', id: 'x', baseUrl: 'http://h/v1', apiKeyEnv: 'MY_LLM', models: [] } as const
    const env = { MY_LLM: 'abcdefgh12' }
    expect(secretValues(env, [{ ...provider, models: [] }])).toEqual([{ name: 'MY_LLM', value: 'abcdefgh12' }])
    expect(apiKey({ ...provider, models: [] }, env)).toBe('abcdefgh12')
    // A line end would make a header that cannot be sent.
    expect(apiKey({ ...provider, models: [] }, { MY_LLM: 'abcdefgh12\n' })).toBe('abcdefgh12')
    expect(apiKey({ ...provider, models: [] }, {})).toBeNull()
  })
})
