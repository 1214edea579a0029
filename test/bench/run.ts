// npm run bench [-- --plant] [name…]: measures benches (all, or the named ones) and writes docs/benchmarks.md.
// BENCH_PAIRS sets the number of pairs (default 10); with fewer than 10, for a quick look, nothing is written.
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Bench } from './bench.ts'
import { measurePairs, runSide, type SideName } from './pairs.ts'
import { type BenchResult, describeMachine, isNoticed, record, verdict } from './report.ts'
import { type Estimate, estimateMedian } from './statistics.ts'

const ENOUGH_PAIRS = 10
const COMPARED: Readonly<Record<NonNullable<Bench['compare']>, (a: number, b: number) => number>> = {
  ratio: (a, b) => a / b,
  difference: (a, b) => a - b,
  alone: a => a,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { plant: { type: 'boolean', default: false } },
})
const pairs = Number(process.env.BENCH_PAIRS ?? ENOUGH_PAIRS)
const say = (text: string) => process.stderr.write(text)

async function load(): Promise<{ file: string; bench: Bench }[]> {
  const found: { file: string; bench: Bench }[] = []
  const directory = fileURLToPath(new URL('.', import.meta.url))
  for (const file of globSync(`${directory}*.bench.ts`).sort()) {
    const { default: benches } = (await import(pathToFileURL(file).href)) as { default: readonly Bench[] }
    for (const bench of benches) found.push({ file, bench })
  }
  return found
}

async function estimate(
  { file, bench }: { file: string; bench: Bench },
  side: SideName,
  fixture: string,
): Promise<{ ratio: Estimate; a: number; b: number }> {
  const compare = ({ a, b }: { a: number; b: number }) => COMPARED[bench.compare ?? 'ratio'](a, b)
  const measured = await measurePairs(
    pairs,
    () => runSide(file, bench.name, side, fixture),
    () => runSide(file, bench.name, 'b', fixture),
    pair => say(` ${compare(pair).toPrecision(3)}`),
  )
  say('\n')
  return {
    ratio: estimateMedian(measured.map(compare)),
    a: estimateMedian(measured.map(({ a }) => a)).median,
    b: estimateMedian(measured.map(({ b }) => b)).median,
  }
}

async function measure(one: { file: string; bench: Bench }, fixture: string): Promise<BenchResult> {
  const { name, a, b, unit, bar, note, planted, ceiling, compare = 'ratio' } = one.bench
  say(`${name}: ${a.what} / ${b.what}\n`)
  say(`  ${compare === 'alone' ? 'figure' : compare}s`)
  const { ratio, ...figures } = await estimate(one, 'a', fixture)
  let noticed: BenchResult['planted'] = null
  if (values.plant) {
    say(`  with ${planted.what}:`)
    const slowed = await estimate(one, 'planted', fixture)
    noticed = { what: planted.what, without: ratio, ratio: slowed.ratio, noticed: isNoticed(bar, ratio, slowed.ratio) }
    say(`  planted slowdown ${noticed.noticed ? 'noticed' : 'NOT noticed'}: ${slowed.ratio.median.toPrecision(3)}\n`)
  }
  let most: BenchResult['ceiling'] = null
  if (ceiling) {
    say(`  ${ceiling.what}:`)
    most = { what: ceiling.what, ratio: (await estimate(one, 'ceiling', fixture)).ratio }
  }
  const result = {
    name,
    a: a.what,
    b: b.what,
    unit,
    bar,
    compare,
    note: note ?? null,
    ratio,
    figures,
    planted: noticed,
    ceiling: most,
    machine: describeMachine(),
    at: new Date().toISOString(),
  }
  say(
    `  ${ratio.median.toPrecision(3)} (${ratio.low.toPrecision(3)} to ${ratio.high.toPrecision(3)}): ${verdict(result)}; A ${Math.round(figures.a)}, B ${Math.round(figures.b)} ${unit}\n`,
  )
  return result
}

const known = await load()
const unknown = positionals.filter(name => !known.some(({ bench }) => bench.name === name))
if (unknown.length > 0) {
  say(`There is no bench ${unknown.join(', ')}. There are: ${known.map(({ bench }) => bench.name).join(', ')}\n`)
  process.exit(2)
}
for (const one of known) {
  if (positionals.length > 0 && !positionals.includes(one.bench.name)) continue
  const missing = one.bench.missing?.() ?? null
  if (missing !== null) {
    say(`${one.bench.name}: skipped, ${missing}\n`)
    continue
  }
  const fixture = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'skein-bench-fixture-'))
  const undo = await one.bench.prepare?.(fixture)
  try {
    const result = await measure(one, fixture)
    // After each, so that an interrupted run keeps what it has.
    if (pairs >= ENOUGH_PAIRS)
      record(
        [result],
        known.map(({ bench }) => bench.name),
      )
  } finally {
    if (typeof undo === 'function') await undo()
    rmSync(fixture, { recursive: true, force: true })
  }
}
if (pairs < ENOUGH_PAIRS) say(`Fewer than ${ENOUGH_PAIRS} pairs: docs/benchmarks.md was left as it is.\n`)
