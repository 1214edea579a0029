import * as z from 'zod'

/** A program and its arguments. Never a shell string: whoever wants a shell names it (`["sh", "-c", "…"]`). */
export const CommandLine = z
  .array(z.string().max(32_768))
  .min(1)
  .max(256)
  .refine(argv => argv.every(word => !word.includes('\0')), 'must not contain a NUL byte')
  .refine(argv => argv[0] !== '', 'must name a program')
  .meta({ id: 'CommandLine', description: 'A program and its arguments; no shell is involved.' })
export type CommandLine = z.infer<typeof CommandLine>

/** What a shell would have to be told, for reading. */
export const commandText = (argv: readonly string[]): string =>
  argv.length === 3 && argv[0] === 'sh' && argv[1] === '-c'
    ? (argv[2] ?? '')
    : argv.map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
