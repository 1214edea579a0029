import { sanitizeLine } from '#shared/model/index.ts'

const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,./-]+$/

/** A command line as a person would type it; one that is only a shell's script, as that script. Safe to show. */
export function renderCommand(argv: readonly string[]): string {
  if (argv.length === 3 && argv[0] === 'sh' && argv[1] === '-c') return sanitizeLine(argv[2] ?? '')
  return sanitizeLine(argv.map(word => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(' '))
}
