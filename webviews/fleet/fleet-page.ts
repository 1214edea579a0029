import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-progress-ring/vscode-progress-ring.js'
import { css, html, nothing, svg, type TemplateResult } from 'lit'
import type { DrainStatus, Health, JobSummary, Peer } from '#shared/model/index.ts'
import '../kit/confirm-dialog.ts'
import './add-peer-dialog.ts'
import type { ConfirmDialog } from '../kit/confirm-dialog.ts'
import { ago, bytes, duration, times } from '../kit/format.ts'
import { keep, kept } from '../kit/kept.ts'
import { Page } from '../kit/page.ts'
import { toHash } from '../kit/route-hash.ts'
import { stateMark, stateStyles } from '../kit/state-mark.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'
import type { AddPeerDialog } from './add-peer-dialog.ts'
import { type History, isHistory, linePoints, sampleOf, withPeers, withSample } from './history.ts'
import { filled, PEER_WORDS } from './peer-words.ts'

/** How often what has no stream is asked for, ms. */
const REFRESH_MS = 3_000
/** Jobs of ours for which is asked where they are. */
const MOST_PLACES = 50
/** Nodes that are shown at first, and of which the use is kept. */
const MOST_PEERS = 50
const THIS_NODE = 'self'

/** The nodes there are: what they can give, how much of it is taken, what runs where, and who trusts whom. */
class FleetPage extends Page {
  static override properties = {
    ...Page.properties,
    health: { state: true },
    drain: { state: true },
    peers: { state: true },
    elsewhere: { state: true },
    history: { state: true },
    shownPeers: { state: true },
    said: { state: true },
  }
  declare health: Health | null
  declare drain: DrainStatus | null
  declare peers: readonly Peer[] | null
  /** Jobs of ours that other nodes have, by the node. */
  declare elsewhere: ReadonlyMap<string, readonly JobSummary[]>
  declare history: History
  /** How many nodes are shown, those that are there first. */
  declare shownPeers: number
  /** What became of the last thing that was asked for. */
  declare said: string
  private abort = new AbortController()

  static override styles = [base, stateStyles, styles()]

  constructor() {
    super()
    this.health = null
    this.drain = null
    this.peers = null
    this.elsewhere = new Map()
    this.history = {}
    this.shownPeers = MOST_PEERS
    this.said = ''
  }

  protected override start(): void {
    this.host.setTitle('Fleet')
    this.abort = new AbortController()
    this.endWith(() => this.abort.abort())
    this.history = kept(this.host, 'fleet.history', {}, isHistory)
    const timer = setInterval(() => {
      if (!document.hidden) void this.refresh()
    }, REFRESH_MS)
    this.endWith(() => clearInterval(timer))
    this.endWith(
      this.host.subscribe({ name: 'peers' }, null, item => {
        if (item.type !== 'peers') return
        this.peers = withPeers(this.peers ?? [], item)
        this.sample()
      }),
    )
    void this.refresh()
  }

  private async refresh(): Promise<void> {
    const { signal } = this.abort
    const answers = await this.attempt(() =>
      Promise.all([this.host.call('health', {}, signal), this.host.call('drainStatus', {}, signal), this.places(signal)]),
    )
    if (!answers) return
    ;[this.health, this.drain, this.elsewhere] = answers
    this.sample()
  }

  /** Where the active jobs of this node are, by their last award. */
  private async places(signal: AbortSignal): Promise<FleetPage['elsewhere']> {
    if (!this.peers?.length) return new Map()
    const { items } = await this.host.call('listJobs', { query: { active: 'true', limit: MOST_PLACES } }, signal)
    const found = new Map<string, JobSummary[]>()
    const place = async (job: JobSummary) => {
      const records = await this.host.call('listPlacements', { params: { id: job.id } }, signal)
      const node = records.items.findLast(({ epoch }) => epoch === job.epoch)?.awarded
      if (node) found.set(node, [...(found.get(node) ?? []), job])
    }
    await Promise.all(items.map(place))
    return found
  }

  private sample(): void {
    const at = Date.now()
    let { history } = this
    for (const { id, card } of this.peers?.slice(0, MOST_PEERS) ?? [])
      if (card) history = withSample(history, id, sampleOf(card, at))
    if (this.drain && this.health)
      history = withSample(history, THIS_NODE, { at, taken: this.drain.running.length, slots: this.health.capacity.cpuCores })
    this.history = history
    keep(this.host, 'fleet.history', history)
  }

  private async setDraining(draining: boolean): Promise<void> {
    const answer = await this.attempt(() => this.host.call('drain', { body: { draining } }))
    if (answer) this.drain = answer
  }

  private readonly add = (): void => this.renderRoot.querySelector<AddPeerDialog>('skein-add-peer')?.show()

  private async showCode(): Promise<void> {
    const answer = await this.attempt(() => this.host.call('createPairingCode', {}))
    if (answer) this.said = filled(PEER_WORDS.pairing, answer.code, new Date(answer.expiresAt).toLocaleTimeString())
  }

  /** @param name of the other node, which may be anything */
  private async sure(text: string, name: string, detail: string, yes: string): Promise<boolean> {
    const dialog = this.renderRoot.querySelector<ConfirmDialog>('skein-confirm')
    return (await dialog?.ask({ text: filled(text, name), detail, yes })) ?? false
  }

  private async trustAgain({ id, name }: Peer): Promise<void> {
    const { trust, trustDetail, trustYes } = PEER_WORDS
    if (!(await this.sure(trust, name, filled(trustDetail, id), trustYes))) return
    await this.attempt(() => this.host.call('trustPeer', { params: { id } }))
  }

  private async removePeer({ id, name }: Peer): Promise<void> {
    const { remove, removeDetail, removeYes } = PEER_WORDS
    if (!(await this.sure(remove, name, removeDetail, removeYes))) return
    await this.attempt(() => this.host.call('removePeer', { params: { id } }))
  }

  override render(): TemplateResult {
    return html`<div class="row">
        <h1 class="grow">Fleet</h1>
        <vscode-button secondary @click=${this.showCode}>Show pairing code</vscode-button>
        <vscode-button @click=${this.add}>Add peer…</vscode-button>
      </div>
      ${this.renderFailure()}
      <div role="status">${this.said === '' ? nothing : html`<div class="note">${visible(this.said)}</div>`}</div>
      <div class="nodes">${this.renderSelf()} ${this.peers?.slice(0, this.shownPeers).map(peer => this.renderPeer(peer))}</div>
      ${this.renderMore()}
      ${
        this.peers?.length === 0
          ? html`<p class="dim">
              This node knows no others. On the other machine run <code>skein pair</code>, or ask its own page for a pairing code; then
              add it here.
            </p>`
          : nothing
      }
      <skein-add-peer
        .host=${this.host}
        @paired=${({ detail }: CustomEvent<Peer>) => {
          this.said = filled(PEER_WORDS.added, detail.name)
        }}
      ></skein-add-peer>
      <skein-confirm></skein-confirm>`
  }

  private renderMore(): TemplateResult | typeof nothing {
    const hidden = (this.peers?.length ?? 0) - this.shownPeers
    if (hidden <= 0) return nothing
    return html`<vscode-button secondary @click=${() => (this.shownPeers += MOST_PEERS)}>Show ${times(hidden, 'more node')}</vscode-button>`
  }

  private renderSelf(): TemplateResult {
    const { health, drain } = this
    if (!health || !drain)
      return this.failure
        ? html``
        : html`<section class="card row"><vscode-progress-ring></vscode-progress-ring> Loading…</section>`
    const { cpuCores, memoryBytes, gpuCount } = health.capacity
    return html`<section class="card" aria-label="This node">
      <div class="row">
        <h2 class="grow">${visible(health.node)} <span class="dim">this node</span></h2>
        <vscode-button secondary @click=${() => this.setDraining(!drain.draining)}>${drain.draining ? 'Take work again' : 'Drain'}</vscode-button>
      </div>
      <p class="dim">
        ${times(cpuCores, 'core')}, ${bytes(memoryBytes)}${gpuCount > 0 ? `, ${times(gpuCount, 'GPU')}` : ''}, version ${health.version}
      </p>
      ${drain.draining ? html`<p class="warn">Draining: it takes no more attempts.</p>` : nothing}
      ${this.renderUse(THIS_NODE, `${drain.running.length} running, ${drain.queued} waiting`)}
      ${
        drain.running.length === 0
          ? html`<p class="dim">Nothing runs here.</p>`
          : html`<ul>
              ${drain.running.map(
                ({ jobId, title, state, home }) =>
                  html`<li>
                    ${stateMark(state)}
                    ${home === null ? jobLink(jobId, title) : html`${visible(title)} <span class="dim">for ${visible(home.name)}</span>`}
                  </li>`,
              )}
            </ul>`
      }
    </section>`
  }

  private renderPeer(peer: Peer): TemplateResult {
    const { card } = peer
    const jobs = this.elsewhere.get(peer.id) ?? []
    return html`<section class="card" aria-label="Node ${visible(peer.name)}">
      <div class="row">
        <h2 class="grow">${visible(peer.name)}</h2>
        <span class=${peer.state === 'online' ? 'good' : 'dim'}>${peer.state}</span>
      </div>
      <p class="dim">${visible(peer.address)}, ${peer.source}</p>
      <p>${trust(peer)}</p>
      ${peer.problem ? html`<p class="warn">${visible(peer.problem)}</p>` : nothing}
      ${
        card
          ? html`<p class="dim">
                ${times(card.capacity.cpuCores, 'core')},
                ${bytes(card.capacity.memoryBytes)}${card.capacity.gpuCount > 0 ? `, ${times(card.capacity.gpuCount, 'GPU')}` : ''}, version
                ${visible(card.version)}${card.draining ? ', draining' : ''}
              </p>
              ${this.renderUse(peer.id, `${card.busy} of ${times(card.slots, 'slot')} taken, ${card.queued} queued`)}
              ${card.models.length > 0 ? html`<p class="dim">Models: ${card.models.slice(0, 8).map(visible).join(', ')}${card.models.length > 8 ? ', …' : ''}</p>` : nothing}
              ${card.agents.length > 0 ? html`<p class="dim">Agents: ${card.agents.map(visible).join(', ')}</p>` : nothing}`
          : html`<p class="dim">${peer.lastSeenAt === null ? 'Never seen.' : `Last seen ${ago(peer.lastSeenAt, Date.now())}.`}</p>`
      }
      ${jobs.length > 0 ? html`<ul>${jobs.map(job => html`<li>${stateMark(job.state)} ${jobLink(job.id, job.title)}</li>`)}</ul>` : nothing}
      <div class="row actions">
        ${isTrusted(peer) ? nothing : html`<vscode-button secondary aria-label="Trust ${visible(peer.name)}" @click=${() => this.trustAgain(peer)}>Trust…</vscode-button>`}
        <vscode-button secondary aria-label="Remove ${visible(peer.name)}" @click=${() => this.removePeer(peer)}>Remove…</vscode-button>
      </div>
    </section>`
  }

  /** How much was taken since the page was first opened: nodes keep no such history. */
  private renderUse(node: string, text: string): TemplateResult {
    const samples = this.history[node] ?? []
    const span = samples[0] ? `last ${duration(Date.now() - samples[0].at)}` : ''
    return html`<figure>
      <svg viewBox="0 0 240 36" preserveAspectRatio="none" role="img" aria-label="Use, ${span}: ${text} now">
        ${svg`<polyline points=${linePoints(samples, Date.now(), 240, 34)} transform="translate(0 1)" />`}
      </svg>
      <figcaption class="dim">${text}<span>${span}</span></figcaption>
    </figure>`
  }
}

const jobLink = (id: string, title: string): TemplateResult =>
  html`<a href=${toHash({ page: 'job', jobId: id })}>${visible(title)}</a>`

const isTrusted = ({ runsOurs, weRunTheirs }: Peer): boolean => runsOurs || weRunTheirs

function trust(peer: Peer): TemplateResult {
  const { runsOurs, weRunTheirs } = peer
  if (!isTrusted(peer)) return html`<span class="warn">Known, and trusted with nothing.</span>`
  const said = [...(runsOurs ? ['runs our jobs'] : []), ...(weRunTheirs ? ['we run theirs'] : [])]
  return html`Trust: ${said.join('; ')}.`
}

function styles() {
  return css`
    .nodes {
      display: grid;
      gap: 14px;
      grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr));
      margin: 14px 0;
    }
    h2,
    p {
      margin: 0 0 6px;
    }
    ul {
      list-style: none;
      margin: 8px 0 0;
      padding: 0;
    }
    li {
      display: flex;
      gap: 10px;
      overflow-wrap: anywhere;
      padding: 2px 0;
    }
    [role='status'] .note {
      margin-top: 10px;
    }
    .actions {
      justify-content: flex-end;
      margin-top: 8px;
    }
    figure {
      margin: 8px 0;
    }
    figure svg {
      background: var(--vscode-editor-background);
      border: 1px solid var(--vscode-panel-border);
      border-radius: 3px;
      box-sizing: border-box;
      display: block;
      height: 36px;
      width: 100%;
    }
    polyline {
      fill: none;
      stroke: var(--vscode-charts-blue);
      stroke-width: 1.5;
      vector-effect: non-scaling-stroke;
    }
    figcaption {
      display: flex;
      font-size: 0.92em;
      justify-content: space-between;
    }
  `
}

customElements.define('skein-fleet', FleetPage)
