import { css, html, nothing, type TemplateResult } from 'lit'
import './where-view.ts'
import { commandText } from '#shared/model/command.ts'
import { type CheckRun, checkVerdict, type Job, type PlacementRecord } from '#shared/model/index.ts'
import { duration, times } from '../kit/format.ts'
import type { Host } from '../kit/host.ts'
import { beginningOf, visible, visibleText } from '../kit/visible.ts'
import type { CheckStory, Story } from './story.ts'

/** Characters of a task. */
const LONGEST_TASK = 20_000

/** Where it runs, plan, checks, usage, bids and why, and what was asked for. */
export function renderDetails(host: Host, story: Story, job: Job | null, placements: readonly PlacementRecord[]): TemplateResult {
  return html`
    ${job ? html`<skein-where .host=${host} .story=${story} .job=${job} .placements=${placements}></skein-where>` : nothing}
    ${story.plan.length > 0 ? renderPlan(story) : nothing} ${renderChecks(story, job)} ${renderUsage(story)}
    ${placements.map(renderPlacement)} ${job ? renderRequest(story, job) : nothing}
  `
}

const PLAN_MARKS = { pending: '☐', in_progress: '▸', completed: '☑' } as const

function renderPlan({ plan }: Story): TemplateResult {
  return html`<h2>Plan</h2>
    <ul class="plan">
      ${plan.map(
        ({ content, status }) =>
          html`<li class=${status === 'completed' ? 'dim' : ''}>
            <span aria-hidden="true">${PLAN_MARKS[status]}</span> ${visible(content)}<span class="hidden">, ${status.replace('_', ' ')}</span>
          </li>`,
      )}
    </ul>`
}

const VERDICTS = {
  fixed: ['good', 'fixed: red before, green after'],
  vacuous: ['warn', 'green before and after: proves little'],
  red: ['bad', 'still red'],
  broken: ['bad', 'broken: green before, red after'],
} as const

function renderChecks(story: Story, job: Job | null): TemplateResult | typeof nothing {
  const commands = job?.spec.checks ?? []
  const count = Math.max(commands.length, story.checks.length)
  if (count === 0)
    return html`<h2>Checks</h2><p class="dim">None were asked for: nothing but the diff says whether it is done.</p>`
  const rows = Array.from({ length: count }, (_, i) => [commands[i] ?? [`check ${i + 1}`], story.checks[i]] as const)
  return html`<h2>Checks</h2>
    <table>
      <thead>
        <tr><th scope="col">Command</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Verdict</th></tr>
      </thead>
      <tbody>
        ${rows.map(
          ([argv, check]) =>
            html`<tr>
              <td><code>${visible(commandText(argv))}</code></td>
              <td>${renderRun(check?.base ?? null)}</td>
              <td>${renderRun(check?.result ?? null)}</td>
              <td>${renderVerdict(check)}</td>
            </tr>`,
        )}
      </tbody>
    </table>`
}

function renderRun(run: CheckRun | 'running' | null): TemplateResult {
  if (run === null) return html`<span class="dim">not run</span>`
  if (run === 'running') return html`<span class="dim">running…</span>`
  const isGreen = run.exitCode === 0
  const why = run.ended === 'exit' ? `exit ${run.exitCode}` : run.ended
  return html`<span class=${isGreen ? 'good' : 'bad'}>${isGreen ? 'green' : `red (${why})`}</span> <span class="dim">${duration(run.durationMs)}</span>`
}

function renderVerdict(check: CheckStory | undefined): TemplateResult | typeof nothing {
  const { base, result } = check ?? {}
  if (!base || !result || base === 'running' || result === 'running') return nothing
  const [tone, text] = VERDICTS[checkVerdict(base, result)]
  return html`<span class=${tone}>${text}</span>`
}

function renderUsage({ usage, agentUsage }: Story): TemplateResult {
  if (usage.requests === 0 && agentUsage === null)
    return html`<h2>Usage</h2><p class="dim">No model was called through this node.</p>`
  const count = (value: number) => value.toLocaleString('en')
  const facts: (readonly [string, string])[] = [
    ['Model calls', count(usage.requests)],
    ['Tokens in', count(usage.inputTokens)],
    ['Tokens out', count(usage.outputTokens)],
    ['Waited for models', duration(usage.durationMs)],
  ]
  if (agentUsage?.usedTokens != null)
    facts.push([
      'Context',
      `${count(agentUsage.usedTokens)}${agentUsage.contextTokens === null ? '' : ` of ${count(agentUsage.contextTokens)}`} tokens`,
    ])
  if (agentUsage?.costUsd != null) facts.push(['Cost, says the agent', `$${agentUsage.costUsd.toFixed(2)}`])
  return html`<h2>Usage</h2>${renderFacts(facts)}`
}

const renderFacts = (facts: readonly (readonly [string, string | TemplateResult])[]): TemplateResult =>
  html`<table class="facts"><tbody>${facts.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table>`

function renderPlacement(record: PlacementRecord): TemplateResult {
  const of = record.known > 0 ? ` of ${times(record.known, 'node')}` : ''
  return html`<h2>Attempt ${record.epoch}: bids</h2>
    <p class="dim">Asked ${record.asked.length}${of}; ${times(record.messages, 'message')}. The lowest score wins: expected time until done, with penalties.</p>
    <table>
      <thead><tr><th scope="col">Node</th><th scope="col">Answer</th><th scope="col">Why</th></tr></thead>
      <tbody>
        ${record.asked.map(asked => renderAsked(asked, asked.node === record.awarded))}
        ${record.filtered.map(({ name, why }) => html`<tr><td>${visible(name)}</td><td class="dim">not asked</td><td class="dim">${visible(why)}</td></tr>`)}
      </tbody>
    </table>
    ${record.awarded === null ? html`<p class="warn">Nobody took it in this round.</p>` : nothing}
    ${
      record.outcome
        ? html`<p class="dim">
            Promised to start in ${duration(record.outcome.promised.startMs)} and run ${duration(record.outcome.promised.runMs)}; it started in
            ${duration(record.outcome.actual.startMs)} and ran ${duration(record.outcome.actual.runMs)}.
          </p>`
        : nothing
    }`
}

function renderAsked({ name, why, answer }: PlacementRecord['asked'][number], isWinner: boolean): TemplateResult {
  const who = html`<td>${isWinner ? html`<strong>${visible(name)}</strong> <span class="good">won</span>` : visible(name)}</td>`
  if (answer.kind === 'silent')
    return html`<tr>${who}<td class="warn">silent</td><td class="dim">${visible(answer.problem)}</td></tr>`
  if (answer.kind === 'no')
    return html`<tr>${who}<td class="dim">no${answer.isTransient ? ' for now' : ''}</td><td class="dim">${visible(answer.reason)}</td></tr>`
  const parts = Object.entries(answer.parts).filter(([, ms]) => ms !== 0)
  return html`<tr>
    ${who}
    <td>${duration(answer.score)}</td>
    <td class="dim">${parts.map(([part, ms]) => `${visible(part)} ${duration(ms)}`).join(' + ') || 'starts at once'} (asked: ${why})</td>
  </tr>`
}

function renderRequest(story: Story, { id, spec, snapshot, retryOf }: Job): TemplateResult {
  const facts: (readonly [string, string | TemplateResult])[] = [
    ['Job', html`<code>${id}</code>`],
    ['Task', html`<pre>${visibleText(beginningOf(spec.task || commandText(spec.argv ?? []), LONGEST_TASK))}</pre>`],
    ...(spec.repository ? [['Repository', html`<code>${visible(spec.repository.path)}</code>`] as const] : []),
    ...(snapshot
      ? [
          [
            'Snapshot',
            html`<code>${snapshot.commit.slice(0, 12)}</code>${snapshot.dirty ? ', with changes that were not committed' : ''}`,
          ] as const,
        ]
      : []),
    ...(story.ref ? [['Result', html`<code>${story.ref}</code>`] as const] : []),
    ['Permissions', spec.permissions],
    ...(retryOf ? [['Again of', html`<code>${retryOf}</code>`] as const] : []),
    ...(story.result?.exitCode == null ? [] : [['Exit code', String(story.result.exitCode)] as const]),
  ]
  return html`<h2>What was asked for</h2>${renderFacts(facts)}`
}

export const detailStyles = css`
  .plan {
    list-style: none;
    margin: 0;
    padding: 0;
  }
  .facts {
    width: auto;
  }
  .facts th {
    padding-right: 24px;
    white-space: nowrap;
  }
  .panel.details {
    display: block;
  }
  table {
    overflow-wrap: anywhere;
  }
`
