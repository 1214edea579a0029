import { expect, test } from 'vitest'
import { CliError, EXIT } from './exit-codes.ts'
import { reportFailure } from './failure.ts'

async function told(message: string, remedy: string): Promise<string[]> {
  const lines: string[] = []
  const err = { paint: (_: string, text: string) => text, line: async (text: string) => void lines.push(text) }
  const world = { err, env: {} } as unknown as Parameters<typeof reportFailure>[0]
  expect(await reportFailure(world, new CliError(EXIT.failed, message, { remedy }))).toBe(EXIT.failed)
  return lines
}

test('what to do is told once, whether or not the message says it', async () => {
  expect(await told('It is broken.', 'Mend it.')).toEqual(['skein: It is broken.', '  Mend it.'])
  expect(await told('It is broken. Mend it.', 'Mend it.')).toEqual(['skein: It is broken. Mend it.'])
})
