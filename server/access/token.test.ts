import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadToken, localToken } from './token.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skein-token-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const modeOf = async (file: string) => (await stat(file)).mode & 0o777

test('the first start makes a token only its owner can read, the second finds it', async () => {
  const file = join(directory, 'token')
  const made = await loadToken(file)
  expect(made.value).toMatch(/^[\w-]{43}$/)
  expect(await modeOf(file)).toBe(0o600)
  expect(await readFile(file, 'utf8')).toBe(`${made.value}\n`)
  expect((await loadToken(file)).value).toBe(made.value)
  expect(await readdir(directory)).toEqual(['token'])
})

test('many first starts at once agree on one token and leave nothing else behind', async () => {
  for (let round = 0; round < 20; round++) {
    const file = join(directory, `token-${round}`)
    const tokens = await Promise.all(Array.from({ length: 16 }, () => loadToken(file)))
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1)
    expect((await readFile(file, 'utf8')).trim()).toBe(tokens[0]?.value)
  }
  expect(await readdir(directory)).toHaveLength(20)
})

test('a file others could read is tightened', async () => {
  const file = join(directory, 'token')
  const { value } = await loadToken(file)
  await chmod(file, 0o664)
  expect((await loadToken(file)).value).toBe(value)
  expect(await modeOf(file)).toBe(0o600)
})

test.each(['', 'short', `${'x'.repeat(40)}\n${'y'.repeat(40)}`, 'ä'.repeat(40)])('%j is refused as a token', async content => {
  const file = join(directory, 'token')
  await writeFile(file, content)
  await expect(loadToken(file)).rejects.toThrow(`Failed to use the token in ${file}`)
  expect(await readFile(file, 'utf8')).toBe(content)
})

test('a directory that is not there is an error that names the file', async () => {
  const file = join(directory, 'missing', 'token')
  await expect(loadToken(file)).rejects.toThrow(`Failed to make the token in ${file}`)
})

test('only the very token matches', () => {
  const token = localToken('a'.repeat(43))
  expect(token.matches('a'.repeat(43))).toBe(true)
  for (const wrong of ['', 'a', 'a'.repeat(42), 'a'.repeat(44), 'b'.repeat(43), `${'a'.repeat(42)}A`])
    expect(token.matches(wrong)).toBe(false)
})
