import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const FILE = new URL('../../docs/simulation.md', import.meta.url)

/** Puts what was measured between the two comments that name a part of docs/simulation.md. @throws {Error} when there is no such part */
export function writePart(name: 'runs' | 'faults', lines: readonly string[]): void {
  const text = readFileSync(FILE, 'utf8')
  const [begin, end] = [`<!-- ${name}: written by npm run sim -->`, `<!-- end of ${name} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/simulation.md has no part "${name}"`)
  const machine = `Node.js ${process.version} on ${availableParallelism()} cores.`
  writeFileSync(FILE, `${text.slice(0, from + begin.length)}\n${[...lines, '', machine].join('\n')}\n${text.slice(to)}`)
}
