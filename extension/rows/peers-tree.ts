import type { Card, Peer } from '#shared/model/index.ts'
import { type Fleet, SELF, type Self } from '../state/fleet.ts'
import type { Jobs } from '../state/jobs.ts'
import { ago, bytes } from './elapsed.ts'
import { jobRow, jobTooltip, type Look, stateName } from './job-row.ts'
import { plainLine, plainMarkdown } from './plain.ts'
import type { Row, Translate, Tree } from './row.ts'

/** Most models and jobs that are listed of a node; the tooltip tells how many there are. */
const MOST_LISTED = 100

export interface PeersTreeDeps extends Look {
  readonly fleet: Fleet
  readonly jobs: Jobs
}

/** This node and those it knows; under each what it has, and what it works on now. Ids of inner rows are `node/what`. */
export function createPeersTree(deps: PeersTreeDeps): Tree {
  const { fleet, jobs, now, t } = deps
  /** Jobs of this node that run on the other one. */
  const ours = (peer: Peer) =>
    jobs
      .inGroup('active')
      .filter(({ node }) => node === peer.name)
      .slice(0, MOST_LISTED)

  function insidePeer(peer: Peer): Row[] {
    const { card } = peer
    const running = ours(peer).map(entry => jobRow(entry, deps, `${peer.id}/job/${entry.summary.id}`))
    return [
      ...(peer.problem === null ? [] : [fact(peer.id, 'problem', plainLine(peer.problem), '', 'warning')]),
      fact(peer.id, 'identity', t('Identity'), peer.id, 'key'),
      fact(peer.id, 'address', t('Address'), plainLine(peer.address), 'globe'),
      ...(card === null ? [] : ofCard(peer.id, card)),
      ...running,
    ]
  }
  function ofCard(id: string, card: Card): Row[] {
    return [
      fact(id, 'capacity', t('Capacity'), capacityText(card.capacity, t), 'server'),
      fact(id, 'slots', t('Slots'), t('{0} of {1} in use, {2} jobs wait', card.busy, card.slots, card.queued), 'dashboard'),
      ...(card.agents.length === 0 ? [] : [fact(id, 'agents', t('Agents'), plainLine(card.agents.join(', ')), 'robot')]),
      ...modelsRow(id, card.models),
    ]
  }
  function insideSelf({ node, url, health, drain, models, version }: Self): Row[] {
    return [
      fact(SELF, 'identity', t('Name'), plainLine(node), 'key'),
      fact(SELF, 'address', t('Address'), url, 'globe'),
      fact(SELF, 'version', t('Version'), plainLine(version), 'versions'),
      ...(health === null ? [] : [fact(SELF, 'capacity', t('Capacity'), capacityText(health.capacity, t), 'server')]),
      ...modelsRow(SELF, models),
      ...(drain?.running ?? []).slice(0, MOST_LISTED).map(({ jobId, title, state, home }) => ({
        id: `${SELF}/job/${jobId}`,
        label: plainLine(title) || jobId,
        description: [stateName(state, t), home ? t('for {0}', plainLine(home.name, 40)) : null].filter(Boolean).join(' · '),
        icon: 'sync~spin',
        // A job of another node is in that node's list, not in this one's.
        ...(home ? { context: 'guest' } : { context: 'job active', job: jobId }),
      })),
    ]
  }
  const modelsRow = (id: string, models: readonly string[]): Row[] =>
    models.length === 0
      ? []
      : [
          {
            id: `${id}/models`,
            label: t('Models'),
            description: `${models.length}`,
            icon: 'sparkle',
            context: 'fact',
            children: 'collapsed',
          },
        ]
  const modelRows = (id: string, models: readonly string[]): Row[] =>
    models
      .slice(0, MOST_LISTED)
      .map((model, at) => ({ id: `${id}/models/${at}`, label: plainLine(model), icon: 'circuit-board', context: 'fact' }))

  const selfRow = ({ node, drain }: Self): Row => ({
    id: SELF,
    label: plainLine(node),
    description: [t('this machine'), drain?.draining ? t('draining') : null].filter(Boolean).join(' · '),
    icon: drain?.draining ? 'debug-pause' : 'device-desktop',
    color: drain?.draining ? 'charts.yellow' : 'charts.green',
    context: drain?.draining ? 'self draining' : 'self working',
    children: 'collapsed',
  })
  function peerRow(peer: Peer): Row {
    const { id, name, state, card, runsOurs, weRunTheirs } = peer
    const isOnline = state === 'online'
    const trusted = runsOurs || weRunTheirs
    const words = [
      isOnline ? null : t('offline'),
      card?.draining ? t('draining') : null,
      trusted ? null : t('not trusted'),
      isOnline && card ? `${card.busy}/${card.slots}` : null,
    ]
    return {
      id,
      label: plainLine(name),
      description: words.filter(Boolean).join(' · '),
      icon: isOnline ? (card?.draining ? 'debug-pause' : trusted ? 'vm-active' : 'vm') : 'vm-outline',
      color: isOnline ? (trusted ? 'charts.green' : 'charts.yellow') : 'disabledForeground',
      context: trusted ? 'peer trusted' : 'peer untrusted',
      children: 'collapsed',
    }
  }
  function childrenOf(id: string): Row[] {
    const [node = '', what] = id.split('/')
    const peer = fleet.peer(node)
    if (what === 'models') return modelRows(node, (peer ? peer.card?.models : fleet.self?.models) ?? [])
    if (what !== undefined) return []
    if (peer) return insidePeer(peer)
    return node === SELF && fleet.self ? insideSelf(fleet.self) : []
  }

  return {
    children(id) {
      if (id !== null) return childrenOf(id)
      // Alone, the view is empty and says what to do; the node itself is in the status bar.
      return fleet.peers().length === 0 || !fleet.self
        ? fleet.peers().map(peerRow)
        : [selfRow(fleet.self), ...fleet.peers().map(peerRow)]
    },
    row(id) {
      const peer = fleet.peer(id)
      if (peer) return peerRow(peer)
      if (id === SELF) return fleet.self ? selfRow(fleet.self) : undefined
      return (
        childrenOf(id.slice(0, id.lastIndexOf('/'))).find(row => row.id === id) ??
        childrenOf(id.split('/')[0] ?? '').find(row => row.id === id)
      )
    },
    parent(id) {
      const parts = id.split('/')
      return parts.length === 1 ? null : parts[1] === 'models' && parts.length === 3 ? `${parts[0]}/models` : (parts[0] ?? null)
    },
    tooltip(id) {
      const [node = '', what, jobId = ''] = id.split('/')
      const entry = what === 'job' ? jobs.get(jobId) : undefined
      if (entry) return jobTooltip(entry, deps)
      const peer = fleet.peer(node)
      return peer && what === undefined ? peerTooltip(peer, now(), t) : undefined
    },
  }
}

const fact = (node: string, what: string, label: string, description: string, icon: string): Row => ({
  id: `${node}/${what}`,
  label,
  description,
  icon,
  context: 'fact',
})

function capacityText({ cpuCores, memoryBytes, gpuCount }: Card['capacity'], t: Translate): string {
  const words = [t('{0} cores', cpuCores), bytes(memoryBytes), gpuCount > 0 ? t('{0} GPUs', gpuCount) : null]
  return words.filter(word => word !== null).join(' · ')
}

function peerTooltip(peer: Peer, now: number, t: Translate): string {
  const { name, id, address, source, state, runsOurs, weRunTheirs, card, lastSeenAt, problem } = peer
  const trust =
    runsOurs && weRunTheirs
      ? t('takes our jobs, and we take its')
      : runsOurs
        ? t('takes our jobs')
        : weRunTheirs
          ? t('we take its jobs')
          : t('none')
  const origin = { paired: t('by a pairing code'), tailnet: t('by the tailnet'), listed: t('by a list in the settings') }[source]
  const rows: [string, string | null][] = [
    [t('State'), state === 'online' ? t('online') : t('offline')],
    [t('Problem'), problem === null ? null : plainMarkdown(problem)],
    [t('Last seen'), state === 'online' || lastSeenAt === null ? null : ago(lastSeenAt, now, t)],
    [t('Trust'), trust],
    [t('Known'), origin],
    [t('Identity'), `\`${id}\``],
    [t('Address'), plainMarkdown(address)],
    [t('Version'), card ? plainMarkdown(card.version) : null],
    [t('Capacity'), card ? capacityText(card.capacity, t) : null],
    [
      t('Labels'),
      card
        ? plainMarkdown(
            Object.entries(card.capacity.labels)
              .map(([key, value]) => `${key}=${value}`)
              .join(', '),
          ) || null
        : null,
    ],
    [t('Slots'), card ? t('{0} of {1} in use, {2} jobs wait', card.busy, card.slots, card.queued) : null],
    [t('Models'), card && card.models.length > 0 ? plainMarkdown(card.models.slice(0, 20).join(', ')) : null],
    [t('Agents'), card && card.agents.length > 0 ? plainMarkdown(card.agents.join(', ')) : null],
    [
      t('Sandboxes'),
      card && card.executors.length > 0
        ? plainMarkdown(card.executors.map(({ kind, isolation }) => `${kind} (${isolation})`).join(', '))
        : null,
    ],
  ]
  const lines = rows.filter(([, value]) => value !== null).map(([key, value]) => `| ${key} | ${value} |`)
  return `**${plainMarkdown(name)}**\n\n| | |\n|:--|:--|\n${lines.join('\n')}`
}
