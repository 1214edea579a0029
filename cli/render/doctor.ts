import type { DoctorReport } from '#server/doctor.ts'
import { formatBytes, formatDuration } from '#server/lib/units.ts'
import { sanitizeLine } from '#shared/model/index.ts'
import { table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

/** The report for a person: what is there, what was set, what to mend. */
export function renderDoctor(report: DoctorReport, terminal: Pick<Terminal, 'columns' | 'paint'>): string[] {
  const { paint } = terminal
  const line = (good: boolean, name: string, detail: string) =>
    `${good ? paint('green', '✓') : paint('red', '✗')} ${name.padEnd(9)} ${sanitizeLine(detail)}`
  const optional = (good: boolean, name: string, detail: string) =>
    `${good ? paint('green', '✓') : paint('yellow', '–')} ${name.padEnd(9)} ${sanitizeLine(detail)}`
  const usable = report.agents.filter(agent => agent.usable)
  const missing = report.agents.filter(agent => !agent.usable)
  const { disk } = report
  // One way to make a sandbox is enough.
  const canRun = report.sandboxes.some(({ available }) => available)
  return [
    paint('bold', 'Found'),
    line(true, 'node', report.node),
    line(report.git !== null, 'git', report.git ?? 'not found'),
    ...report.sandboxes.map(({ available, isBroken = false, trial, kind, detail }) => {
      const tried = trial ? `; tried: ${trial.detail}` : ''
      return (canRun && !isBroken && trial?.ok !== false ? optional : line)(
        available && trial?.ok !== false,
        'sandbox',
        `${kind}: ${detail}${tried}`,
      )
    }),
    ...usable.map(agent => optional(true, 'agent', [agent.id, agent.version, agent.command].filter(Boolean).join('  '))),
    ...(missing.length > 0
      ? [optional(false, 'agents', `not here: ${missing.map(({ id }) => id).join(', ')} (\`skein agents\` says how to get each)`)]
      : []),
    ...modelLines(report).map(([good, text]) => optional(good, 'models', text)),
    line(disk.writable, 'disk', `${disk.dataDir}${disk.freeBytes === null ? '' : `, ${formatBytes(disk.freeBytes)} free`}`),
    optional(report.tailscale.state === 'running', 'tailscale', report.tailscale.detail),
    ...report.policy.map((rule, index) => line(true, index === 0 ? 'takes' : '', index === 0 ? `jobs ${rule}` : rule)),
    optional(
      report.server !== null,
      'server',
      report.server === null ? 'none is running here; `skein serve` starts one' : `running at ${report.server}`,
    ),
    '',
    paint('bold', 'Settings'),
    ...table(
      report.settings,
      [
        { title: 'SETTING', value: ({ path }) => path },
        {
          title: 'VALUE',
          value: ({ path, value }) => renderValue(path, value),
          elastic: true,
        },
        {
          title: 'FROM',
          value: ({ source }) => sanitizeLine(source),
          paint: (cell, { source }) => (source === 'default' ? paint('dim', cell) : cell),
        },
      ],
      terminal,
    ),
    ...problemLines(report, paint),
  ]
}

/** A value as it would be written, with amounts also as people read them. */
function renderValue(path: string, value: unknown): string {
  if (typeof value === 'number' && path.endsWith('Bytes')) return `${value} (${formatBytes(value)})`
  if (typeof value === 'number' && path.endsWith('Ms')) return `${value} (${formatDuration(value)})`
  return sanitizeLine(typeof value === 'string' ? value : JSON.stringify(value))
}

function modelLines({ models, unreachable }: DoctorReport): [good: boolean, text: string][] {
  const byProvider = Map.groupBy(models, model => model.owned_by)
  return [
    ...[...byProvider].map(([provider, list]): [boolean, string] => {
      const names = list.map(({ id }) => id)
      return [true, `${provider}: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`]
    }),
    ...unreachable.map(({ provider, reason }): [boolean, string] => [false, `${provider}: ${reason}`]),
  ]
}

function problemLines({ problems, ok }: DoctorReport, paint: Terminal['paint']): string[] {
  const verdict = ok ? paint('green', 'A job can run here.') : paint('red', 'No job can run here yet.')
  if (problems.length === 0) return ['', verdict]
  return [
    '',
    paint('bold', 'To mend'),
    ...problems.flatMap(({ severity, what, fix }) => [
      `${severity === 'error' ? paint('red', '✗') : paint('yellow', '!')} ${sanitizeLine(what)}`,
      `  ${sanitizeLine(fix)}`,
    ]),
    '',
    verdict,
  ]
}
