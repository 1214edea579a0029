import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Bench } from './bench.ts'
import type { Estimate } from './statistics.ts'

/** What is kept of one run of a bench. */
export interface BenchResult {
  readonly name: string
  readonly a: string
  readonly b: string
  readonly unit: string
  readonly bar: Bench['bar']
  /** What `ratio` is, if not a ratio. */
  readonly compare?: Bench['compare']
  readonly note: string | null
  readonly ratio: Estimate
  /** Medians of the two sides, in the unit. */
  readonly figures: { readonly a: number; readonly b: number }
  /** The last time a slowdown was planted: the ratio without and with it. */
  readonly planted: {
    readonly what: string
    readonly without: Estimate
    readonly ratio: Estimate
    readonly noticed: boolean
  } | null
  /** What the ratio would be of something that does nothing but what cannot be left out. */
  readonly ceiling?: { readonly what: string; readonly ratio: Estimate } | null
  readonly machine: string
  readonly at: string
}

const dataFile = fileURLToPath(new URL('../../docs/benchmarks.json', import.meta.url))
const pageFile = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url))

/** Whether the whole interval is on the right side of the bar, or only the median, or not even that. */
export function verdict({ ratio, bar }: Pick<BenchResult, 'ratio' | 'bar'>): 'met' | 'met by the median' | 'not met' {
  const holds = (value: number) => ('atLeast' in bar ? value >= bar.atLeast : value <= bar.atMost)
  if (!holds(ratio.median)) return 'not met'
  return holds(ratio.low) && holds(ratio.high) ? 'met' : 'met by the median'
}

/** Whether a planted slowdown moved the ratio to the bad side of what was measured without it. */
export function isNoticed(bar: Bench['bar'], clean: Estimate, planted: Estimate): boolean {
  return 'atLeast' in bar ? planted.high < clean.low : planted.low > clean.high
}

/** What the figures were taken on; nothing that names the machine. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() || 'unknown processor'
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `${availableParallelism()} cores (${model}), ${memory} GiB, ${process.platform} ${process.arch}, Node ${process.version}`
}

/** Figures that are no ratio: a table of its own on the page. */
export interface Table {
  readonly title: string
  readonly text: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly notes: readonly string[]
  readonly machine: string
  readonly at: string
}

const TABLES = ['placement', 'pods'] as const
const tableFile = (name: string): string => fileURLToPath(new URL(`../../docs/benchmarks.${name}.json`, import.meta.url))

/** Puts a table in the place of the earlier one, and writes the page anew. */
export function recordTable(name: (typeof TABLES)[number], table: Table): void {
  writeFileSync(tableFile(name), `${JSON.stringify(table, null, 2)}\n`)
  writeFileSync(pageFile, page(read()))
}

/** A table in Markdown. */
export function renderTable({ head, rows }: Pick<Table, 'head' | 'rows'>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function section(name: string): string[] {
  if (!existsSync(tableFile(name))) return []
  const table = JSON.parse(readFileSync(tableFile(name), 'utf8')) as Table
  const notes = table.notes.map(note => `- ${note}`).join('\n')
  return [`## ${table.title}\n${table.text}\n\n${renderTable(table)}\n\n${notes}\n- ${table.at.slice(0, 10)}: ${table.machine}\n`]
}

function read(): BenchResult[] {
  try {
    return JSON.parse(readFileSync(dataFile, 'utf8')) as BenchResult[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Puts results in the place of earlier ones of the same name, and writes the page anew. @param known names of the benches there are; of others nothing is kept */
export function record(results: readonly BenchResult[], known: readonly string[]): void {
  const kept = new Map(read().flatMap(result => (known.includes(result.name) ? [[result.name, result]] : [])))
  for (const result of results)
    kept.set(result.name, { ...result, planted: result.planted ?? kept.get(result.name)?.planted ?? null })
  const all = [...kept.values()].sort((x, y) => x.name.localeCompare(y.name))
  writeFileSync(dataFile, `${JSON.stringify(all, null, 2)}\n`)
  writeFileSync(pageFile, page(all))
}

const figure = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : value >= 10 ? value.toFixed(1) : value.toPrecision(3)
const interval = ({ median, low, high }: Estimate): string => `**${figure(median)}** (${figure(low)} to ${figure(high)})`
const barText = ({ bar, compare, unit }: Pick<BenchResult, 'bar' | 'compare' | 'unit'>): string =>
  `${'atLeast' in bar ? `>= ${bar.atLeast}` : `<= ${bar.atMost}`}${compare === 'difference' ? ` ${unit} more` : compare === 'alone' ? ` ${unit}` : ''}`

function page(results: readonly BenchResult[]): string {
  const rows = results.map(
    result =>
      `| ${result.name} | ${result.a} | ${result.b} | ${figure(result.figures.a)} : ${figure(result.figures.b)} ${result.unit} | ` +
      `${interval(result.ratio)} | ${barText(result)} | ${verdict(result)} |`,
  )
  const planted = results.flatMap(({ name, planted }) =>
    planted
      ? [
          `| ${name} | ${planted.what} | ${interval(planted.without)} | ${interval(planted.ratio)} | ${planted.noticed ? 'noticed' : 'not noticed'} |`,
        ]
      : [],
  )
  const ceilings = results.flatMap(({ name, ceiling, ratio }) =>
    ceiling ? [`| ${name} | ${interval(ratio)} | ${ceiling.what} | ${interval(ceiling.ratio)} |`] : [],
  )
  const notes = results.flatMap(({ name, note }) => (note ? [`- **${name}**: ${note}`] : []))
  const tables = TABLES.flatMap(section)
    .map(text => `\n${text}`)
    .join('')
  const machines = [
    ...new Set(results.map(({ machine, at, ratio }) => `- ${at.slice(0, 10)}, ${ratio.samples} pairs: ${machine}`)),
  ]
  return `# Benchmarks

Written by \`npm run bench\`; do not edit. Each line is a ratio A / B (or, where the bar has a unit, A itself, and where it says "more", the difference A - B) of two fresh
processes, measured in turns (A B B A), with the median of the pairs and its 95 % interval from order statistics. "Met" means that the whole interval is on the good side of the
bar; the figures beside are medians and hold for the machine below only. How to add one: test/bench/README.md.

| bench | A | B | A : B | ratio | bar | |
|---|---|---|---|---|---|---|
${rows.join('\n')}

## Shown to notice a slowdown
Side A again with a slowdown planted round the product; the ratio must leave the interval.

| bench | planted | without | with | |
|---|---|---|---|---|
${planted.join('\n')}

## How far a ratio could go here
Where a bar may be out of reach: the same ratio for something that does only what cannot be left out.

| bench | ratio | instead of A | ratio |
|---|---|---|---|
${ceilings.join('\n')}

## Notes
${notes.join('\n')}

## Taken on
${machines.join('\n')}
${tables}`
}
