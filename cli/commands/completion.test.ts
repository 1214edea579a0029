import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createProgram } from '../program.ts'
import { processWorld } from '../world.ts'
import { completion } from './completion.ts'

const program = createProgram(
  processWorld(),
  [],
  () => {},
  async () => 0,
)

describe.each(['bash', 'zsh', 'fish'] as const)('for %s', shell => {
  const script = completion(shell, program)

  test('knows every command and its options', () => {
    for (const command of program.commands) expect(script).toContain(command.name())
    expect(script).toContain('follow')
  })

  const present = spawnSync(shell, ['-c', 'true']).status === 0
  test.skipIf(!present)(present ? 'is read by the shell' : `is read by the shell (skipped: ${shell} is not installed)`, () => {
    // From a file: fish reads no script from the kind of pipe that Node makes.
    const directory = mkdtempSync(join(tmpdir(), 'skein-completion-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const file = join(directory, 'script')
    writeFileSync(file, script)
    expect(spawnSync(shell, ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })
})

test('bash offers commands, then options', () => {
  const ask = (words: string[]) => {
    const ask = `${completion('bash', program)}
COMP_WORDS=(skein ${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _skein; echo "\${COMPREPLY[*]}"`
    return spawnSync('bash', ['-c', ask], { encoding: 'utf8' }).stdout.trim()
  }
  expect(ask(['do'])).toBe('doctor')
  expect(ask(['logs', '--fo'])).toBe('--follow')
  expect(ask(['completion', 'f'])).toBe('fish')
})
