// Runs one side of one bench and tells its parent the figure. Arguments: file, name of the bench, side, fixture.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Lifetime } from '#server/lib/lifetime.ts'
import type { Bench } from './bench.ts'
import type { SideName } from './pairs.ts'

const [file = '', name, side = 'a', fixture = ''] = process.argv.slice(2)
const { default: benches } = (await import(pathToFileURL(file).href)) as { default: readonly Bench[] }
const bench = benches.find(one => one.name === name)
if (!bench) throw new Error(`${file} has no bench ${name}`)

const life = new Lifetime()
const directory = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'skein-bench-'))
life.defer(() => rm(directory, { recursive: true, force: true }))
try {
  const chosen = bench[side as SideName]
  if (!chosen) throw new Error(`Bench ${name} has no side ${side}`)
  const value = await chosen.run({ directory, fixture, defer: undo => life.defer(undo) })
  process.send?.(value)
} finally {
  await life[Symbol.asyncDispose]()
}
process.disconnect?.()
