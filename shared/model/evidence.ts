import type { CheckVerdict } from './result.ts'
import type { SpecEvidence, SpecJob } from './spec.ts'

/**
 * Whether a job proves its task done, so that the box may be ticked: it succeeded, checks say so, not its agent, and the task asks for what the
 * job was asked for.
 */
export const isEvidence = ({ state, checks, wording }: Pick<SpecJob, 'state' | 'checks' | 'wording'>): boolean =>
  state === 'succeeded' && checks.all > 0 && checks.green === checks.all && wording === 'same'

const VERDICTS: Readonly<Record<CheckVerdict, string>> = {
  fixed: 'red before, green after',
  vacuous: 'green before too',
  red: 'red',
  broken: 'green before, red after',
}

/** Which checks say what of a job, such as `npm test (red before, green after), npm run lint (green before too) and 2 more`. */
export function checksText({ checks, commands }: Pick<SpecEvidence, 'checks' | 'commands'>): string {
  const named = commands.map(({ command, verdict }) => `${command} (${VERDICTS[verdict]})`).join(', ')
  return checks.all > commands.length ? `${named} and ${checks.all - commands.length} more` : named
}
