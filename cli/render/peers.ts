import { formatBytes } from '#server/lib/units.ts'
import { type Card, type Peer, sanitizeLine } from '#shared/model/index.ts'
import { type Column, naturalWidth, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

/** Which way jobs may go. */
export const trust = ({ runsOurs, weRunTheirs }: Pick<Peer, 'runsOurs' | 'weRunTheirs'>): string =>
  runsOurs && weRunTheirs ? 'both ways' : runsOurs ? 'ours there' : weRunTheirs ? 'theirs here' : 'none'

const SOURCES = { paired: 'paired', tailnet: 'tailnet', listed: 'listed' } as const satisfies Record<Peer['source'], string>

/** A value of the card, safe to show; nothing of a node that tells none. */
const ofCard = (value: (card: Card) => string | number) => (peer: Peer) =>
  peer.card ? sanitizeLine(String(value(peer.card))) : ''
const listed = (names: readonly string[]): string => names.join(', ')

const labels = ({ capacity }: Card): string => listed(Object.entries(capacity.labels).map(([name, value]) => `${name}=${value}`))
const executors = (card: Card): string => listed(card.executors.map(({ kind, isolation }) => `${kind} (${isolation})`))

/**
 * A line for each peer: what it has, what it offers, how it is trusted. Where the terminal is too narrow for a column each, what it
 * offers is in one.
 */
export function renderPeers(peers: readonly Peer[], terminal: Pick<Terminal, 'columns' | 'paint'>): string[] {
  const { paint } = terminal
  const number = (title: string, value: (card: Card) => string | number): Column<Peer> => ({
    title,
    value: ofCard(value),
    align: 'right',
  })
  const first: Column<Peer>[] = [
    { title: 'NAME', value: peer => sanitizeLine(peer.name) },
    {
      title: 'STATE',
      value: peer => (peer.state === 'online' ? (peer.card?.draining ? '◌ draining' : '● online') : '○ offline'),
      paint: (cell, { state }) => paint(state === 'online' ? 'green' : 'dim', cell),
    },
    { title: 'JOBS', value: trust },
    { title: 'BY', value: ({ source }) => SOURCES[source] },
    number('BUSY', ({ busy, slots }) => `${busy}/${slots}`),
    number('QUEUE', ({ queued }) => queued),
    number('CORES', ({ capacity }) => capacity.cpuCores),
    number('MEMORY', ({ capacity }) => formatBytes(capacity.memoryBytes)),
    number('GPU', ({ capacity }) => capacity.gpuCount),
    number('REPOS', ({ repositories }) => repositories.length),
  ]
  const offers: Column<Peer>[] = [
    { title: 'EXECUTORS', value: ofCard(executors) },
    { title: 'AGENTS', value: ofCard(({ agents }) => listed(agents)) },
    { title: 'MODELS', value: ofCard(({ models }) => listed(models)) },
    { title: 'LABELS', value: ofCard(labels) },
    { title: 'PROBLEM', value: ({ problem }) => sanitizeLine(problem ?? '') },
  ]
  const wide = [...first, ...offers.filter(({ value }) => peers.some(peer => value(peer) !== ''))]
  if (naturalWidth(peers, wide) <= terminal.columns) return table(peers, wide, terminal)
  const together = ofCard(card =>
    listed([executors(card), labels(card), ...card.agents, ...card.models].filter(text => text !== '')),
  )
  const offersInOne: Column<Peer> = {
    title: 'OFFERS',
    value: peer => sanitizeLine(peer.problem ?? together(peer)),
    elastic: true,
  }
  return table(peers, [...first, offersInOne], terminal)
}
