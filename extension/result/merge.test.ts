import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createGit } from './git.ts'
import { linesOf, mergeText, type Replacement } from './merge.ts'

/** As an editor carries replacements out: all count in the text before. */
function carryOut(text: string, replacements: readonly Replacement[]): string {
  const lines = linesOf(text)
  const starts = lines.map((_, at) => lines.slice(0, at).reduce((sum, line) => sum + line.length + 1, 0))
  const at = ({ line, character }: Replacement['start']) => (starts[line] ?? 0) + character
  // The last first, so that places stay where they were; of two at one place the first comes before the second.
  return replacements.reduceRight(
    (done, { start, end, text }) => done.slice(0, at(start)) + text + done.slice(at(end)),
    lines.join('\n'),
  )
}
const text = fc.array(fc.constantFrom('a', 'b', 'c', '', 'x y'), { maxLength: 12 }).map(lines => lines.join('\n'))

const { merge } = createGit(process.cwd())
const never = () => Promise.reject(new Error('There is nothing to merge'))

it('makes of the text in the editor what the job left, when nobody else changed it', async () => {
  await fc.assert(
    fc.asyncProperty(text, text, async (base, theirs) => {
      expect(carryOut(base, (await mergeText(base, base, theirs, never)) ?? [])).toBe(theirs)
    }),
  )
})

it('replaces nothing in a text that has it all already', async () => {
  await fc.assert(
    fc.asyncProperty(text, text, async (base, theirs) => {
      expect(await mergeText(base, theirs, theirs, never)).toEqual([])
    }),
  )
})

it('keeps what was changed here, beside what was changed there, among lines that are alike', async () => {
  const base = `alpha\n${'line\n'.repeat(20)}omega\n`
  const now = base.replace('line\nline\nline\n', 'line\nmine\nline\n')
  const replaced = await mergeText(base, now, base.replace('alpha', 'ALPHA').replace('omega', 'OMEGA'), merge)
  expect(replaced).toHaveLength(2)
  expect(carryOut(now, replaced ?? [])).toBe(now.replace('alpha', 'ALPHA').replace('omega', 'OMEGA'))
})

it('has no answer when the same lines were changed here and there', async () => {
  expect(await mergeText('one\ntwo\n', 'ONE\ntwo\n', 'uno\ntwo\n', merge)).toBeNull()
})

it('keeps the line ends of the document, whatever those of the job are', async () => {
  expect(await mergeText('a\nb\n', 'a\r\nb\r\n', 'a\nb\n', never)).toEqual([])
  expect(await mergeText('a\r\nb\r\n', 'a\nb\n', 'a\r\nB\r\n', never)).toEqual([
    { start: { line: 1, character: 0 }, end: { line: 2, character: 0 }, text: 'B\n' },
  ])
})

it('has one replacement a run of changed lines', async () => {
  const base = Array.from({ length: 20 }, (_, line) => `${line}`).join('\n')
  expect(await mergeText(base, base, base.replace('\n3\n', '\nthree\n').replace('\n15\n', '\n'), never)).toHaveLength(2)
})
