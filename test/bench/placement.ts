// npm run bench:placement [-- --quick]: places jobs on simulated fleets by the product's rule and by those it is held against, prints
// the table, and writes it to docs/benchmarks.md. With `--quick` fewer jobs are placed and nothing is written.
import { parseArgs } from 'node:util'
import { type Measured, measure } from '#test/sim/placement/compare.ts'
import type { Scenario } from '#test/sim/placement/fleet.ts'
import {
  LEAST_GAIN,
  MOST_EXTRA_WAIT,
  MOST_MESSAGES,
  missed,
  RULE_NAMES,
  RULES,
  type RuleName,
} from '#test/sim/placement/rules.ts'
import { describeMachine, recordTable, renderTable, type Table } from './report.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const say = (text: string) => process.stderr.write(text)

interface Size extends Pick<Scenario, 'nodes' | 'slots' | 'jobs' | 'warmUp'> {
  readonly seeds: readonly string[]
}
const MIXED = [1, 2, 4, 8]
const SIZES: readonly Size[] = values.quick
  ? [
      { nodes: 10, slots: MIXED, jobs: 500, warmUp: 200, seeds: ['1'] },
      { nodes: 100, slots: MIXED, jobs: 500, warmUp: 300, seeds: ['1'] },
    ]
  : [
      { nodes: 10, slots: MIXED, jobs: 5_000, warmUp: 1_000, seeds: ['1', '2', '3'] },
      { nodes: 100, slots: MIXED, jobs: 5_000, warmUp: 2_000, seeds: ['1', '2'] },
      { nodes: 1_000, slots: MIXED, jobs: 10_000, warmUp: 5_000, seeds: ['1'] },
      { nodes: 10_000, slots: MIXED, jobs: 12_000, warmUp: 12_000, seeds: ['1'] },
      { nodes: 100, slots: [1], jobs: 3_000, warmUp: 1_000, seeds: ['1'] },
    ]

const WHAT: Readonly<Record<RuleName, string>> = {
  negotiated: '**Skein**',
  omniscient: 'omniscient',
  broadcast: 'full broadcast',
  cards: 'least loaded by cards',
  random: 'random',
}

/** Means over several seeds; of the most, the most. */
function mean(all: readonly Measured[]): Measured {
  const of = (field: keyof Measured) => all.reduce((sum, one) => sum + one[field], 0) / all.length
  return {
    jobs: all.reduce((sum, { jobs }) => sum + jobs, 0),
    meanWait: of('meanWait'),
    p99Wait: of('p99Wait'),
    meanTime: of('meanTime'),
    messages: of('messages'),
    mostMessages: Math.max(...all.map(({ mostMessages }) => mostMessages)),
    inOneRound: of('inOneRound'),
  }
}

async function compare({ seeds, ...size }: Size): Promise<Record<RuleName, Measured>> {
  const figures: [RuleName, Measured][] = []
  for (const name of RULE_NAMES) {
    const runs: Measured[] = []
    for (const seed of seeds) runs.push(await measure(RULES[name], { ...size, load: 0.9, seed }))
    figures.push([name, mean(runs)])
    say(`${size.nodes} nodes of ${size.slots.join('/')} slots, ${name}: wait ${mean(runs).meanWait.toFixed(3)}\n`)
  }
  return Object.fromEntries(figures) as Record<RuleName, Measured>
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US')

function rowsOf({ nodes, slots }: Size, figures: Readonly<Record<RuleName, Measured>>): string[][] {
  const faults = missed(figures)
  return RULE_NAMES.map(name => {
    const { messages, mostMessages, meanWait, p99Wait, meanTime, inOneRound } = figures[name]
    const verdict = faults.length === 0 ? 'met' : `not met: ${faults.join(', ')}`
    return [
      count(nodes),
      slots.join(', '),
      WHAT[name],
      mostMessages > 100 ? count(messages) : messages.toFixed(1),
      count(mostMessages),
      meanWait.toFixed(3),
      p99Wait.toFixed(2),
      meanTime.toFixed(2),
      `${(100 * inOneRound).toFixed(1)} %`,
      name === 'negotiated' ? verdict : '',
    ]
  })
}

const rows: string[][] = []
for (const size of SIZES) rows.push(...rowsOf(size, await compare(size)))
const placed = SIZES.reduce((sum, { jobs, seeds }) => sum + jobs * seeds.length, 0)
const table: Table = {
  title: 'Placement on simulated fleets',
  text: `Written by \`npm run bench:placement\`. The product's own placement (cards, sample, bids, reservations, waiting places, score, corrections,
pauses) runs unchanged on a simulated clock and network, ${count(placed)} jobs by each rule; the same seeds give the same jobs to all rules and the
same figures every time. Load is 90 % of all that the fleet can do; nodes go at half, single or double speed; 15 % of the jobs want a label that
nodes with 30 % of the power carry; work is exponential; cards are one mean service time old. Waits are in mean service times, from
the arrival of a job to its slot; "time" is to its end. A message is a request with its answer. Bars: at most ${MOST_MESSAGES} messages a placement, a
wait at most ${MOST_EXTRA_WAIT} longer than that of a placer who knows when every job will end, and ${LEAST_GAIN} times shorter than by cards.`,
  head: ['nodes', 'slots', 'rule', 'messages', 'most', 'wait', 'p99', 'time', 'in one round', 'bars'],
  rows,
  notes: [
    'Broadcast and omniscient are given more than there is: all answer at once and nothing is promised twice.',
    'Each fleet begins 90 % busy and without queues; by cards and at random, waits would go on to grow.',
    'A fleet of single slots is where a sample of eight is too few: eight busy slots are found too often (decision 0085).',
  ],
  machine: describeMachine(),
  at: new Date().toISOString(),
}
process.stdout.write(`${renderTable(table)}\n`)
if (values.quick) say('A quick look: docs/benchmarks.md was left as it is.\n')
else recordTable('placement', table)
