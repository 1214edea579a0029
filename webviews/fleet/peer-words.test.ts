import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { filled, PEER_WORDS } from './peer-words.ts'

it('are those of the commands of the extension', () => {
  const commands = readFileSync(fileURLToPath(new URL('../../extension/commands/peers.ts', import.meta.url)), 'utf8')
  for (const words of Object.values(PEER_WORDS)) expect(commands).toContain(`'${words}'`)
})

it('take values that look like places as they are', () => {
  expect(filled('{0} and {1}', '{1}', '$&')).toBe('{1} and $&')
})
